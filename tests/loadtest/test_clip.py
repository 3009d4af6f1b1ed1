# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import av
import numpy as np
import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from loadtest.clip import DESCRIPTOR_BYTES, MAX_CHUNK_BYTES, Clip, Look, Signatures, prepared
from loadtest.picture import ALONE, HEIGHT, LAYERS, SECONDS, WIDTH, Colour
from loadtest.voice import SAMPLE_RATE, Sound

LOUD = 8_000
"""A fifth of full scale: nothing in a quiet voice gets near it."""


def decode_video(clip: Clip, layer: int = 0) -> list[VideoFrame]:
    """All pictures of one movie of a clip."""
    codec = VideoCodecContext.create("libvpx", "r")
    packets = [av.Packet(b"".join(frame.chunks)) for frame in clip.video[layer].frames]
    return [frame for packet in packets for frame in codec.decode(packet)]


def decode_audio(sounds: tuple[Sound, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Samples of 16 bits."""
    codec = AudioCodecContext.create("libopus", "r")
    codec.format, codec.layout, codec.sample_rate = "s16", "mono", SAMPLE_RATE
    frames = [frame for sound in sounds for frame in codec.decode(av.Packet(sound.payload))]
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]).astype(np.float64)


@pytest.mark.parametrize("number", [0, 3])
def test_the_picture_has_the_persons_colour(number: int) -> None:
    """Every decoded picture shows the own colour at its edge, and all pictures decode."""
    clip = prepared(number)
    frames = decode_video(clip)
    assert len(frames) == len(clip.video[0].frames)
    for frame in (frames[0], frames[31], frames[-1]):
        assert (frame.width, frame.height) == (WIDTH, HEIGHT)
        edge = frame.to_ndarray(format="rgb24")[80:100, 4:20].reshape(-1, 3).mean(axis=0)
        assert edge == pytest.approx([clip.colour.red, clip.colour.green, clip.colour.blue], abs=14)


def test_a_look_can_be_chosen() -> None:
    """Colour and pitch as asked for; a plain picture is that colour all over but for the mark at its top."""
    clip = prepared(3, Look(Colour(220, 40, 40), 1050, plain=True))
    assert clip.frequency_hz == pytest.approx(1050, abs=12)
    frames = decode_video(clip)
    middle = frames[40].to_ndarray(format="rgb24")[12:].reshape(-1, 3)
    assert middle.mean(axis=0) == pytest.approx([220, 40, 40], abs=6)
    assert middle.std(axis=0).max() < 6
    assert (abs(frames[0].to_ndarray()[:8].astype(int) - frames[40].to_ndarray()[:8]) > 20).any()
    assert Signatures([prepared(0), clip]).ambiguous() == 0


def test_the_picture_moves() -> None:
    """Two pictures a second apart differ where the head was."""
    frames = decode_video(prepared(0))
    luma = [frame.to_ndarray()[:HEIGHT].astype(int) for frame in (frames[0], frames[ALONE.frames_per_second])]
    assert (abs(luma[0] - luma[1]) > 20).sum() > 500


def test_a_keyframe_comes_every_second() -> None:
    """A request for a keyframe is never more than a second away from an answer, and a loop starts with one."""
    keys = [index for index, frame in enumerate(prepared(0).video[0].frames) if frame.keyframe]
    assert keys == list(range(0, len(prepared(0).video[0].frames), ALONE.keyframe_every))
    assert ALONE.keyframe_every <= ALONE.frames_per_second


def test_chunks_fit_into_protected_packets() -> None:
    """No packet comes near the size that SRTP refuses to protect."""
    assert max(len(chunk) for frame in prepared(0).video[0].frames for chunk in frame.chunks) <= MAX_CHUNK_BYTES


def test_layers_are_real_pictures_of_a_cameras_size() -> None:
    """Each layer decodes with its height and the person's colour, and takes about its share of a link."""
    clip = prepared(0, simulcast=True)
    assert [movie.form.rid for movie in clip.video] == ["q", "h", "f"]
    for index, form in enumerate(LAYERS):
        frames = decode_video(clip, index)
        assert len(frames) == SECONDS * form.frames_per_second
        assert {(frame.width, frame.height) for frame in frames} == {(form.width, form.height)}
        edge = frames[-1].to_ndarray(format="rgb24")[form.height // 2, 4:10].mean(axis=0)
        assert edge == pytest.approx([clip.colour.red, clip.colour.green, clip.colour.blue], abs=14)
        octets = sum(len(chunk) for frame in clip.video[index].frames for chunk in frame.chunks)
        assert octets * 8 / SECONDS == pytest.approx(form.bit_rate, rel=0.15)
    assert Signatures([clip]).ambiguous() == 0


@pytest.mark.parametrize("number", [0, 7])
def test_the_voice_has_the_persons_pitch(number: int) -> None:
    """The strongest frequency of the decoded voice is the one the clip names."""
    clip = prepared(number)
    samples = decode_audio(clip.steady)[SAMPLE_RATE // 2 :][:SAMPLE_RATE]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(samples) == pytest.approx(clip.frequency_hz, abs=1.5)


def test_the_voice_is_soft_and_pauses() -> None:
    """Nothing is loud, nothing begins with a jump, and speech has silence between its phrases."""
    clip = prepared(1)
    samples = decode_audio(clip.speech)
    assert abs(samples).max() < LOUD
    assert abs(samples[:480]).max() < 500
    levels = [sound.level for sound in clip.speech]
    assert min(levels) < 40
    assert sum(level > 80 for level in levels) * 0.02 > 1.0


def test_quiet_is_quiet() -> None:
    """An open microphone in a silent room stays below -80 dBov."""
    assert min(sound.level for sound in prepared(1).quiet) > 80
    assert abs(decode_audio(prepared(1).quiet)).max() < 100


def test_every_payload_tells_its_clip() -> None:
    """All packets of six people are attributed to the right one, whatever picture id is written before them."""
    clips = [prepared(number) for number in range(6)]
    signatures = Signatures(clips)
    assert signatures.ambiguous() == 0
    for clip in clips:
        for sound in (*clip.speech, *clip.steady, *clip.quiet):
            assert signatures.of_audio(sound.payload) == clip.number
        descriptor = bytes(VpxPayloadDescriptor(partition_start=1, partition_id=0, picture_id=17 * clip.number))
        assert len(descriptor) == DESCRIPTOR_BYTES
        for chunk in (chunk for frame in clip.video[0].frames for chunk in frame.chunks):
            assert signatures.of_video(descriptor + chunk) == clip.number
    assert signatures.of_audio(b"somebody else") is None


def test_a_shared_payload_is_nobodys() -> None:
    """A payload of two clips is attributed to neither."""
    first, second = prepared(0), prepared(1)
    signatures = Signatures(
        [first, Clip(9, second.colour, 1.0, second.video, first.speech, second.steady, second.quiet)]
    )
    assert signatures.ambiguous() == len(first.speech)
    assert signatures.of_audio(first.speech[0].payload) is None


def test_a_clip_is_the_same_in_every_process() -> None:
    """Encoding again gives the same bytes, so that another process recognises what this one sends."""
    again = prepared.__wrapped__(2)
    assert again == prepared(2)
