// SPDX-License-Identifier: Apache-2.0

// Pion as a client: pion SLOTS CLIP [plain]. With "plain" without interceptors: no header extensions, no feedback.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc"
)

type line struct {
	Kind    string `json:"kind"`
	Packets int    `json:"packets"`
	Frames  int    `json:"frames"`
}

type clip struct {
	Audio []string   `json:"audio"`
	Video [][]string `json:"video"`
}

type stack struct {
	peer   *webrtc.PeerConnection
	voice  *webrtc.TrackLocalStaticRTP
	camera *webrtc.TrackLocalStaticRTP
	clip   clip
	lock   sync.Mutex
	lines  []*line
	once   sync.Once
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func newStack(slots int, path string, plain bool) *stack {
	s := &stack{}
	text, err := os.ReadFile(path)
	must(err)
	must(json.Unmarshal(text, &s.clip))
	if plain {
		engine := &webrtc.MediaEngine{}
		must(engine.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, PayloadType: 111}, webrtc.RTPCodecTypeAudio))
		must(engine.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, PayloadType: 96}, webrtc.RTPCodecTypeVideo))
		s.peer, err = webrtc.NewAPI(webrtc.WithMediaEngine(engine)).NewPeerConnection(webrtc.Configuration{})
	} else {
		s.peer, err = webrtc.NewPeerConnection(webrtc.Configuration{})
	}
	must(err)
	s.voice = s.send(webrtc.MimeTypeOpus, "audio")
	s.camera = s.send(webrtc.MimeTypeVP8, "video")
	byReceiver := map[*webrtc.RTPReceiver]*line{}
	for slot := 0; slot < slots; slot++ {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			transceiver, err := s.peer.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
			must(err)
			each := &line{Kind: kind.String()}
			s.lines = append(s.lines, each)
			byReceiver[transceiver.Receiver()] = each
		}
	}
	s.peer.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			s.lock.Lock()
			byReceiver[receiver].Packets++
			if packet.Marker || track.Kind() == webrtc.RTPCodecTypeAudio {
				byReceiver[receiver].Frames++
			}
			s.lock.Unlock()
		}
	})
	return s
}

func (s *stack) send(mime, kind string) *webrtc.TrackLocalStaticRTP {
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "client")
	must(err)
	transceiver, err := s.peer.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(err)
	go func() {
		buffer := make([]byte, 1500)
		for {
			if _, _, err := transceiver.Sender().Read(buffer); err != nil {
				return
			}
		}
	}()
	return track
}

func (s *stack) offer(restart bool) (string, error) {
	offer, err := s.peer.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(s.peer)
	if err := s.peer.SetLocalDescription(offer); err != nil {
		return "", err
	}
	<-gathered
	return s.peer.LocalDescription().SDP, nil
}

func (s *stack) answer(sdp string) error {
	err := s.peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
	s.once.Do(func() { go s.speak(); go s.show() })
	return err
}

func (s *stack) speak() {
	for number := 0; ; number++ {
		payload, _ := base64.StdEncoding.DecodeString(s.clip.Audio[number%len(s.clip.Audio)])
		_ = s.voice.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, Marker: number == 0, SequenceNumber: uint16(number), Timestamp: uint32(number * 960)}, Payload: payload})
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *stack) show() {
	sequence := uint16(0)
	for number := 0; ; number++ {
		payloads := s.clip.Video[number%len(s.clip.Video)]
		for index, text := range payloads {
			payload, _ := base64.StdEncoding.DecodeString(text)
			_ = s.camera.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, Marker: index == len(payloads)-1, SequenceNumber: sequence, Timestamp: uint32(number * 6000)}, Payload: payload})
			sequence++
		}
		time.Sleep(66 * time.Millisecond)
	}
}

type request struct {
	Do      string `json:"do"`
	Restart bool   `json:"restart"`
	Sdp     string `json:"sdp"`
}

func (s *stack) do(asked request) (any, error) {
	switch asked.Do {
	case "offer":
		sdp, err := s.offer(asked.Restart)
		return map[string]string{"sdp": sdp}, err
	case "answer":
		return map[string]string{}, s.answer(asked.Sdp)
	case "stats":
		s.lock.Lock()
		defer s.lock.Unlock()
		return map[string]any{"state": s.peer.ConnectionState().String(), "received": s.lines}, nil
	default:
		return map[string]string{}, s.peer.Close()
	}
}

func main() {
	slots, err := strconv.Atoi(os.Args[1])
	must(err)
	s := newStack(slots, os.Args[2], len(os.Args) > 3 && os.Args[3] == "plain")
	input := bufio.NewReader(os.Stdin)
	for {
		text, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		must(json.Unmarshal(text, &asked))
		answer, err := s.do(asked)
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		encoded, err := json.Marshal(answer)
		must(err)
		fmt.Println(string(encoded))
		if asked.Do == "close" {
			return
		}
	}
}
