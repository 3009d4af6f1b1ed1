// SPDX-License-Identifier: Apache-2.0
// Runs before any script of the page. Gives each person a camera of one colour and a microphone of one tone, and
// watches what the page does with RTCPeerConnection. Chromium's own fake devices are not used: its beeps are shared
// by all contexts of a browser. `window.__device` = {hue: [r, g, b], hz: number, width, height, fps} is set before.
(() => {
  if (!navigator.mediaDevices) return; // Firefox has none on the blank page before the first link.
  const device = window.__device;
  const watch = (window.__watch = {
    peers: [], // RTCPeerConnection objects, in the order of their making
    plays: 0, // how often an audio element was told to play
    negotiationNeeded: 0, // events after the first answer
    userMedia: [], // {audio, video} of each getUserMedia call
    tracks: [], // what these calls gave
    sockets: [], // WebSocket objects, in the order of their making
    banners: 0, // announcements of a move that came up
    frames: [], // {at, slot, person}: the first frame of each new person in a receive slot
    voices: [], // {at, slot, hz}: changes of the tone heard in a receive slot (0: silence)
    clicks: [], // {at, label}
  });
  document.addEventListener('click', (event) => {
    const pressed = event.target instanceof Element ? event.target.closest('button,[role=menuitem]') : null;
    if (pressed) watch.clicks.push({ at: Date.now(), label: pressed.getAttribute('data-testid') ?? '' });
  }, true);

  const NativePeer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends NativePeer {
    constructor(...given) {
      super(...given);
      watch.peers.push(this);
      this.addEventListener('negotiationneeded', () => {
        if (this.remoteDescription) watch.negotiationNeeded += 1;
      });
    }
  };

  const NativeSocket = window.WebSocket;
  window.WebSocket = class extends NativeSocket {
    constructor(...given) {
      super(...given);
      watch.sockets.push(this);
    }
  };

  // Said on the console, which can be listened to without touching the page: a touch would count as a press.
  const nativePlay = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    const playing = nativePlay.call(this);
    if (this instanceof HTMLAudioElement) watch.plays += 1;
    playing.catch((error) => error.name === 'NotAllowedError' && console.debug('sound is blocked'));
    return playing;
  };

  new MutationObserver((changes) => {
    const added = changes.flatMap((change) => [...change.addedNodes]).filter((node) => node instanceof Element);
    watch.banners += added.filter((node) => node.matches('[data-testid="announced-move"]')).length;
  }).observe(document, { childList: true, subtree: true });

  let painter = null;
  const picture = () => {
    const canvas = document.createElement('canvas');
    canvas.width = device.width;
    canvas.height = device.height;
    const pen = canvas.getContext('2d', { alpha: false });
    let n = 0;
    const paint = () => {
      pen.fillStyle = `rgb(${device.hue.join(',')})`;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.fillStyle = 'rgba(0,0,0,0.25)';
      pen.fillRect((n++ * 4) % canvas.width, 0, 8, 8); // movement, in a corner that nobody samples
    };
    paint();
    clearInterval(painter);
    painter = setInterval(paint, 1000 / device.fps);
    return canvas.captureStream(device.fps).getVideoTracks()[0];
  };
  const tone = () => {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: device.hz });
    const quiet = new GainNode(context, { gain: 0.2 });
    const out = context.createMediaStreamDestination();
    oscillator.connect(quiet).connect(out);
    oscillator.start();
    void context.resume();
    return out.stream.getAudioTracks()[0];
  };
  navigator.mediaDevices.getUserMedia = async (wish = {}) => {
    watch.userMedia.push({ audio: Boolean(wish.audio), video: Boolean(wish.video) });
    const tracks = [];
    if (wish.audio) tracks.push(tone());
    if (wish.video) tracks.push(picture());
    watch.tracks.push(...tracks);
    return new MediaStream(tracks);
  };
  navigator.mediaDevices.enumerateDevices = async () => [
    { kind: 'audioinput', deviceId: 'test-microphone', groupId: 'test', label: 'Test microphone', toJSON() { return this; } },
    { kind: 'videoinput', deviceId: 'test-camera', groupId: 'test', label: 'Test camera', toJSON() { return this; } },
  ];

  // -- what arrives: colours of decoded frames and tones of decoded sound, by receive slot -----------------------------
  const receivers = (kind) => {
    const peer = watch.peers[watch.peers.length - 1];
    if (!peer) return [];
    return peer.getTransceivers()
      .filter((t) => t.receiver.track.kind === kind && (t.currentDirection ?? t.direction) !== 'sendonly')
      .map((t) => t.receiver.track);
  };
  const sampler = document.createElement('canvas');
  sampler.width = sampler.height = 4;
  const eye = sampler.getContext('2d', { willReadFrequently: true });
  const colourOf = (video) => {
    eye.drawImage(video, video.videoWidth / 4, video.videoHeight / 2, video.videoWidth / 2, video.videoHeight / 4, 0, 0, 4, 4);
    const d = eye.getImageData(0, 0, 4, 4).data;
    const mean = [0, 0, 0];
    for (let i = 0; i < d.length; i += 4) for (let c = 0; c < 3; c++) mean[c] += d[i + c] / 16;
    return mean.map(Math.round);
  };
  // Prepared people have a silhouette that is lighter than their colour: for them only the difference from grey counts.
  const withoutLight = (rgb) => rgb.map((value) => value - (rgb[0] + rgb[1] + rgb[2]) / 3);
  const distance = (a, b) => Math.hypot(...a.map((value, c) => value - b[c]));
  const nearest = (rgb) => {
    let best = null;
    for (const [name, hue] of Object.entries(window.__people ?? {})) {
      const far = window.__bySaturation ? 2 * distance(withoutLight(hue), withoutLight(rgb)) : distance(hue, rgb);
      if (far < 70 && (!best || far < best.far)) best = { name, far };
    }
    return best?.name ?? null;
  };
  const trackSlot = (track) => receivers(track.kind).findIndex((other) => other.id === track.id);

  // Whom one sees: every <video> of the page that plays a received track, by the colour of its present pixels.
  window.__seen = () => [...document.querySelectorAll('video')].flatMap((video) => {
    const track = video.srcObject?.getVideoTracks?.()[0];
    if (!track || trackSlot(track) < 0 || video.videoWidth === 0) return [];
    const shown = video.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    return [{ slot: trackSlot(track), person: nearest(colourOf(video)), rgb: colourOf(video), shown }];
  });
  // Frames decoded and sound received so far, by slot.
  window.__received = async () => {
    const peer = watch.peers[watch.peers.length - 1];
    const slots = {};
    for (const track of [...receivers('video'), ...receivers('audio')]) {
      for (const report of (await peer.getStats(track)).values()) {
        if (report.type !== 'inbound-rtp') continue;
        const row = (slots[trackSlot(track)] ??= {});
        if (track.kind === 'video') Object.assign(row, { frames: report.framesDecoded ?? 0, videoPackets: report.packetsReceived ?? 0 });
        else Object.assign(row, { audioPackets: report.packetsReceived ?? 0, concealed: report.concealedSamples ?? 0 });
      }
    }
    return slots;
  };
  // Of which kinds the browser has taken sender reports: without both it cannot keep lips and voice together.
  window.__clocks = async () => {
    const peer = watch.peers[watch.peers.length - 1];
    const reported = [...(await peer.getStats()).values()].filter((row) => row.type === 'remote-outbound-rtp');
    return [...new Set(reported.map((row) => row.kind))].sort();
  };
  window.__dtls = async () => {
    const peer = watch.peers[watch.peers.length - 1];
    for (const report of (await peer.getStats()).values()) {
      if (report.type === 'transport') {
        return { state: report.dtlsState, local: report.localCertificateId, remote: report.remoteCertificateId, changes: report.selectedCandidatePairChanges };
      }
    }
    return null;
  };

  let ear = null;
  const listening = new Map();
  const listen = () => {
    ear ??= new AudioContext();
    void ear.resume();
    receivers('audio').forEach((track, slot) => {
      if (listening.has(track.id)) return;
      const analyser = new AnalyserNode(ear, { fftSize: 1024, smoothingTimeConstant: 0 });
      ear.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      listening.set(track.id, { slot, analyser, bins: new Float32Array(analyser.frequencyBinCount), hz: 0 });
    });
  };
  const pitch = ({ analyser, bins }) => {
    analyser.getFloatFrequencyData(bins);
    let top = 0;
    for (let i = 4; i < bins.length / 4; i++) if (bins[i] > bins[top] || top === 0) top = i;
    return bins[top] > -55 ? Math.round((top * ear.sampleRate) / analyser.fftSize) : 0;
  };
  // Whom one hears: the loudest frequency of each receive slot, 0 for silence.
  window.__heard = () => {
    listen();
    return [...listening.values()].map((one) => ({ slot: one.slot, hz: pitch(one) })).filter((one) => one.hz > 0);
  };
  const noteVoice = (one, hz, at = Date.now()) => {
    if (Math.abs(hz - one.hz) <= 60) return;
    one.hz = hz;
    watch.voices.push({ at, slot: one.slot, hz });
  };
  // Sound as it leaves the jitter buffer for whatever plays it: an analyser would add its own window and buffer. In a
  // thread of its own, since ears do not wait for the page's scripts, and a page with thousands of calls a second would.
  const ears = () => {
    const told = [];
    // The pitch of 10 ms of sound, from the time between its first and last zero crossing; 0 for silence.
    const pitchOf = (samples, rate) => {
      let energy = 0, first = -1, last = -1, crossings = 0;
      for (let i = 1; i < samples.length; i++) {
        energy += samples[i] * samples[i];
        if (samples[i - 1] < 0 === samples[i] < 0) continue;
        last = i - samples[i] / (samples[i] - samples[i - 1]);
        if (crossings++ === 0) first = last;
      }
      if (energy / samples.length < 1e-5 || crossings < 3) return 0;
      return Math.round(((crossings - 1) / 2 / (last - first)) * rate);
    };
    onmessage = async ({ data: { slot, readable } }) => {
      const frames = readable.getReader();
      const samples = new Float32Array(4800);
      for (;;) {
        const { value: sound, done } = await frames.read();
        if (done) return;
        const heard = samples.subarray(0, sound.numberOfFrames);
        sound.copyTo(heard, { planeIndex: 0, format: 'f32-planar' });
        const hz = pitchOf(heard, sound.sampleRate);
        sound.close();
        if (Math.abs(hz - (told[slot] ?? 0)) <= 60) continue;
        told[slot] = hz;
        postMessage({ slot, hz, at: Date.now() });
      }
    };
  };
  const overhear = (tracks) => {
    const listener = new Worker(URL.createObjectURL(new Blob([`(${ears})()`], { type: 'text/javascript' })));
    listener.onmessage = ({ data }) => watch.voices.push(data);
    tracks.forEach((track, slot) => {
      const { readable } = new MediaStreamTrackProcessor({ track });
      listener.postMessage({ slot, readable }, [readable]);
    });
  };
  const overhearAll = () => {
    if ('MediaStreamTrackProcessor' in window) return void overhear(receivers('audio'));
    listen();
    setInterval(() => { for (const one of listening.values()) noteVoice(one, pitch(one)); }, 10);
  };
  // From now on, note every first frame and every new voice with its time. The page is busy at that very moment: what
  // notes it is quiet otherwise, and pixels are read back after the time has been taken.
  const QUIET_AFTER_MS = 400;
  window.__measure = () => {
    overhearAll();
    const followed = new Map();
    const visible = (video) => video.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const follow = (video) => {
      let place = null, source = null, last = null, until = 0, called = false;
      // In a tile whose person is known all is quiet, until the tile is another one or another person's.
      const quiet = () => {
        const here = video.parentElement;
        if (here !== place || here?.dataset.source !== source) [place, source, last] = [here, here?.dataset.source, null];
        return !source || (last !== null && Date.now() > until);
      };
      // Painted, but not shown by the page yet: it counts from when it is.
      const look = () => {
        if (quiet() || !video.videoWidth || !visible(video)) return;
        const at = Date.now();
        const person = nearest(colourOf(video));
        if (!person || person === last) return;
        last = person;
        until = at + QUIET_AFTER_MS;
        watch.frames.push({ at, slot: trackSlot(video.srcObject.getVideoTracks()[0]), person });
      };
      // After the page's own callbacks for this frame, whose changes are painted with it.
      const each = () => {
        called = false;
        setTimeout(look);
        listen();
      };
      const listen = () => {
        if (called || quiet()) return;
        called = true;
        video.requestVideoFrameCallback(each);
      };
      return { listen, look };
    };
    let changed = false;
    const painted = () => {
      changed = false;
      for (const one of followed.values()) one.look();
    };
    new MutationObserver(() => {
      for (const one of followed.values()) one.listen();
      if (!changed) requestAnimationFrame(() => setTimeout(painted));
      changed = true;
    }).observe(document, { subtree: true, childList: true, attributeFilter: ['class', 'data-source'] });
    setInterval(() => {
      for (const video of document.querySelectorAll('video')) {
        if (followed.has(video)) continue;
        followed.set(video, follow(video));
        followed.get(video).listen();
      }
    }, 50);
  };
})();
