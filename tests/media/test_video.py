"""Decoding: exact times, exact lengths, and files that are not what they say."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from unisono.errors import DataError
from unisono.media import mp4, streams, video
from unisono.media.streams import Limits

TICK = Fraction(1, 1000)


def grey(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, dtype=np.uint8)


def tone(seconds: float, rate: int = 16_000, hertz: float = 440) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write(
    at_ms: Sequence[int],
    pictures: Sequence[np.ndarray],
    *,
    form: str = "mp4",
    codec: str = "mpeg4",
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> bytes:
    """A video without sound whose pictures begin at these milliseconds."""
    file = io.BytesIO()
    with av.open(file, "w", format=form, options=options or {}) as container:
        stream = container.add_stream(codec, rate=1000)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = TICK
        if rotation:
            stream.set_display_rotation(rotation)
        for ms, picture in zip(at_ms, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = ms, TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture(scope="module")
def clip() -> bytes:
    """4.5 s at 10 frames/s, brighter by 5 with each; a tone of 4.5 s."""
    return mp4.encode([grey(5 * i) for i in range(45)], 10, tone(4.5), 16_000)


def levels(frames: np.ndarray) -> list[int]:
    return [round(float(np.median(frame))) for frame in frames]


def test_frames_are_those_shown_at_whole_seconds(clip: bytes) -> None:
    frames = video.frames(clip)
    assert frames.shape == (5, 48, 64, 3)
    assert frames.dtype == np.uint8
    assert levels(frames) == pytest.approx([0, 50, 100, 150, 200], abs=2)
    assert video.duration(clip) == pytest.approx(4.5)


def test_a_path_is_read_like_bytes(clip: bytes, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip)
    np.testing.assert_array_equal(video.frames(tmp_path / "clip.mp4"), video.frames(clip))


def test_variable_frame_rate_shows_the_last_picture_that_has_begun() -> None:
    # 0 s, a long still until 2.5 s, a burst, and one just after 3 s.
    at_ms = [0, 400, 2500, 2600, 2700, 3001, 4000]
    data = write(at_ms, [grey(30 * i) for i in range(7)], form="matroska")
    assert levels(video.frames(data))[:5] == pytest.approx([0, 30, 30, 120, 180], abs=3)


@pytest.mark.parametrize("form", ["matroska", "mp4", "mpegts"])
def test_time_begins_with_the_first_picture(form: str) -> None:
    at_ms = [7000 + 200 * i for i in range(11)]
    frames = video.frames(write(at_ms, [grey(20 * i) for i in range(11)], form=form))
    assert levels(frames) == pytest.approx([0, 100, 200], abs=3)


def test_pictures_that_no_other_needs_are_passed_over_without_a_trace() -> None:
    if "libx264" not in av.codecs_available:
        pytest.skip("PyAV was built without libx264")
    generator = np.random.default_rng(0)
    moving = np.cumsum(generator.integers(-3, 4, (60, 48, 64, 3)), axis=0) + 120
    data = write(range(0, 3000, 50), moving.clip(0, 255).astype(np.uint8), codec="libx264")
    with av.open(io.BytesIO(data)) as container:
        every = {frame.time: frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)}
    np.testing.assert_array_equal(video.frames(data), [every[0.0], every[1.0], every[2.0]])


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_pictures_stand_upright(rotation: int) -> None:
    upright = np.zeros((64, 48, 3), dtype=np.uint8)
    upright[:16, :16] = 255  # top left
    # What is stored is turned so that turning it by `rotation`, counter-clockwise, gives the upright picture.
    stored = np.ascontiguousarray(np.rot90(upright, -rotation // 90))
    (frame,) = video.frames(write([0, 500], [stored, stored], rotation=rotation))
    assert frame.shape == upright.shape
    assert np.abs(frame.astype(int) - upright).mean() < 4


def test_pictures_of_another_size_are_scaled_to_the_first() -> None:
    small = write([0, 500], [grey(40)] * 2, form="mpegts")
    large = write([1000, 1500], [grey(200, 96, 128)] * 2, form="mpegts")
    frames = video.frames(small + large)
    assert frames.shape[1:] == (48, 64, 3)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_sound_has_the_exact_length_and_pitch(rate: int) -> None:
    data = mp4.encode([grey(9)] * 25, 10, tone(2.5, rate), rate)
    with av.open(io.BytesIO(data)) as container:
        n = sum(frame.samples for frame in container.decode(audio=0))
    samples = video.sound(data)
    assert samples.dtype == np.float32
    assert len(samples) == int(Fraction(n * 16_000, rate) + Fraction(1, 2))
    second = slice(8000, 24_000)
    np.testing.assert_allclose(samples[second].std(), tone(2.5)[second].std(), rtol=0.1)
    assert np.corrcoef(samples[second], tone(2.5)[second])[0, 1] > 0.95


def together(sound_s: float, pictures_s: float, *, left: float = 0.5, right: float = 0.5, gap_s: float = 0) -> bytes:
    """4 s of a tone on two channels (a gap after 1 s) and of pictures (brighter by 50 a second), each begun late."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        pictures = container.add_stream("mpeg4", rate=10)
        pictures.height, pictures.width, pictures.pix_fmt = 48, 64, "yuv420p"
        mono = np.sin(2 * np.pi * 440 * np.arange(4 * 16_000) / 16_000)
        pair = np.stack([left * mono, right * mono], axis=1) * 32767
        for tenth in range(80):
            if round(10 * pictures_s) <= tenth < round(10 * pictures_s) + 40:
                frame = av.VideoFrame.from_ndarray(grey(5 * (tenth - round(10 * pictures_s))), format="rgb24")
                frame.pts, frame.time_base = tenth, Fraction(1, 10)
                container.mux(pictures.encode(frame))
            at = tenth - round(10 * sound_s)
            if 0 <= at < 40:
                block = pair[1600 * at : 1600 * (at + 1)].astype(np.int16).reshape(1, -1)
                heard = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
                heard.sample_rate, heard.time_base = 16_000, Fraction(1, 16_000)
                heard.pts = 1600 * tenth + (round(gap_s * 16_000) if at >= 10 else 0)
                container.mux(sound.encode(heard))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("sound_s", "pictures_s", "length_s", "levels_s"),
    [(0, 0, 4, [0, 50, 100, 150]), (2, 0, 2, [100, 150]), (0, 2, 2, [0, 50]), (0.05, 0, 4, [0, 50, 100, 150])],
)
def test_sound_and_pictures_are_of_one_clock(
    sound_s: float, pictures_s: float, length_s: float, levels_s: list[int]
) -> None:
    data = together(sound_s, pictures_s)
    assert levels(video.frames(data))[: len(levels_s)] == pytest.approx(levels_s, abs=3)
    samples = video.sound(data)
    assert min(video.duration(data), len(samples) / 16_000) == pytest.approx(length_s, abs=0.06)
    assert np.abs(samples[:800]).max() > 0.4, "it begins with the tone"
    piece = video.cut(data, max(sound_s, pictures_s) + 1, 9)
    assert levels(video.frames(piece))[0] == pytest.approx(levels_s[1], abs=6)


def test_a_gap_in_the_sound_is_silence() -> None:
    samples = video.sound(together(0, 0, gap_s=1))
    assert len(samples) == pytest.approx(5 * 16_000, abs=100)
    assert not samples[16_200:31_800].any()
    assert np.abs(samples[32_200:33_000]).max() > 0.4


def test_tracks_that_never_meet_are_refused() -> None:
    with pytest.raises(DataError, match="ends before the other track begins"):
        video.frames(together(4, 0))


@pytest.mark.parametrize(("left", "right"), [(0.5, 0.5), (0.5, -0.5), (0.5, 0), (0, 0.5), (0.5, -0.4), (0.5, 0.2)])
def test_channels_become_one_that_is_as_loud(left: float, right: float) -> None:
    samples, cancelled = video.listen(together(0, 0, left=left, right=right))
    assert samples.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert cancelled == (right == -0.5)


def test_encoding_again_gives_the_same_bytes() -> None:
    smooth = np.linspace(0, 1, 144 * 144 * 3).reshape(144, 144, 3)
    pictures = [(np.sin(20 * smooth + i / 3) * 100 + 120).astype(np.uint8) for i in range(24)]
    noise = np.random.default_rng(0)
    kept, files = [], set()
    for _ in range(8):
        files.add(mp4.encode(pictures, 12, tone(2, 22_050), 22_050))
        # Memory that was used before: an encoder that reads what it has not written shows itself.
        kept.append(np.full(int(noise.integers(1, 50_000)), int(noise.integers(255)), dtype=np.uint8))
    assert len(files) == 1


def test_a_piece_is_cut_out(clip: bytes) -> None:
    piece = video.cut(clip, 1.5, 3.5)
    assert levels(video.frames(piece)) == pytest.approx([75, 125], abs=3)
    assert video.duration(piece) == pytest.approx(2.0, abs=0.05)
    assert len(video.sound(piece)) == pytest.approx(2.0 * 16_000, abs=1000)
    with pytest.raises(DataError, match=r"ends after 4.5\d* s, the piece begins at 9 s"):
        video.cut(clip, 9, 12)


BAD = {
    "empty": b"",
    "text": b"Videos are listed below.\n" * 500,
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile /etc/hostname\n",
    "zeros": bytes(5000),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
@pytest.mark.parametrize("function", [video.frames, video.sound, video.duration])
def test_what_is_no_video_file_is_said_to_be_none(function: Any, data: bytes) -> None:
    with pytest.raises(DataError, match="not a video file, or damaged"):
        function(data)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_file_cut_short_is_refused(clip: bytes, part: float) -> None:
    for function in (video.frames, video.sound):
        with pytest.raises(DataError, match="damaged"):
            function(clip[: round(part * len(clip))])


def test_a_file_cut_short_behind_its_index_is_refused(clip: bytes) -> None:
    # mdat before moov: put moov first by hand, with the chunks' offsets moved.
    at = clip.index(b"moov") - 4
    moov, head = clip[at:], clip[:at]
    first = head.index(b"mdat") - 4
    shifted = bytearray(moov)
    where = 0
    while (where := shifted.find(b"stco", where + 1)) > 0:
        count = int.from_bytes(shifted[where + 8 : where + 12], "big")
        for i in range(count):
            cell = slice(where + 12 + 4 * i, where + 16 + 4 * i)
            shifted[cell] = (int.from_bytes(shifted[cell], "big") + len(moov)).to_bytes(4, "big")
    whole = head[:first] + bytes(shifted) + head[first:]
    np.testing.assert_array_equal(video.frames(whole), video.frames(clip))
    for function in (video.frames, video.sound):
        with pytest.raises(DataError, match=r"cut off|damaged"):
            function(whole[: len(whole) // 2])


def test_noise_in_the_middle_never_crashes(clip: bytes) -> None:
    generator = np.random.default_rng(1)
    for _ in range(20):
        damaged = bytearray(clip)
        at = int(generator.integers(0, len(clip) - 200))
        damaged[at : at + 200] = generator.bytes(200)
        for function in (video.frames, video.sound):
            with contextlib.suppress(DataError):
                assert len(function(bytes(damaged), limits=Limits(time_s=10)))


def test_missing_tracks_are_named(clip: bytes) -> None:
    silent = mp4.encode([grey(1)] * 20, 10, np.empty(0, np.float32), 16_000)
    assert len(video.frames(silent)) == 2
    with pytest.raises(DataError, match="no audio track"):
        video.sound(silent)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(1)[None], format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert len(video.sound(file.getvalue()))
    for function in (video.frames, video.duration):
        with pytest.raises(DataError, match="no video track"):
            function(file.getvalue())


def test_a_track_of_no_length_is_empty() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        container.start_encoding()
    with pytest.raises(DataError, match=r"empty|damaged|no video track"):
        video.frames(file.getvalue())


@pytest.mark.parametrize(
    "limits, message",
    [
        (Limits(duration_s=4), "4.5 s long, at most 4 s"),
        (Limits(pixels=1000), "64 x 48, expected 1 to 1000 pixels"),
        (Limits(memory_bytes=20_000), "would take 46080 bytes, at most 20000"),
        (Limits(time_s=0), "takes longer than 0 s"),
    ],
)
def test_what_is_huge_is_refused(clip: bytes, limits: Limits, message: str) -> None:
    with pytest.raises(DataError, match=message):
        video.frames(clip, limits=limits)


def test_long_sound_is_refused(clip: bytes) -> None:
    with pytest.raises(DataError, match=r"audio is .* long, at most 2 s"):
        video.sound(clip, limits=Limits(duration_s=2))


def test_a_claim_of_years_is_refused_before_anything_is_decoded() -> None:
    data = write([0, 500, 10**7], [grey(1)] * 3, form="matroska")
    with pytest.raises(DataError, match="at most 600 s"):
        video.frames(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        video.frames(tmp_path / "none.mp4")


def test_formats_hold_their_streams_themselves() -> None:
    assert not {"hls", "concat", "dash", "image2", "sdp", "rtsp", "lavfi"} & set(streams.FORMATS.split(","))
