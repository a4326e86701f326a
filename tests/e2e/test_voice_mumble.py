"""Two unmodified Mumble clients talk through ringmain: what is said into the microphone of one comes out
of the loudspeaker of the other."""
import pytest

from mumble_gui import RATE, Mumble, Sounds, correlation, server_digest, wav_samples
from stage import await_true, need, run
from voice_stage import ringmain_voice

TEXT = ("The quick brown fox jumps over the lazy dog. Testing, one, two, three. "
        "This is the voice of a ring main.")


@pytest.fixture(scope="module")
def speech(shared_room):
    need("espeak-ng", "sox")
    plain, wav = shared_room / "espeak.wav", shared_room / "speech.wav"
    run(["espeak-ng", "-w", plain, TEXT])
    run(["sox", plain, "-r", RATE, "-c", "1", "-b", "16", wav, "gain", "-3"])
    return wav


@pytest.fixture(scope="module")
def noise(shared_room, speech):
    wav = shared_room / "noise.wav"
    seconds = len(wav_samples(speech)) / RATE
    run(["sox", "-n", "-r", RATE, "-c", "1", "-b", "16", wav, "synth", f"{seconds:.2f}", "pinknoise",
         "gain", "-12"])
    return wav


@pytest.mark.parametrize("tunnel", [False, True], ids=["udp", "tunnel"])
def test_speech_goes_from_one_mumble_to_another(serve, crew, speech, noise, tunnel):
    voice = ringmain_voice(serve)
    sounds = Sounds(crew, ["anna", "ben"])
    digest = server_digest(voice.port)
    clients = [Mumble(crew, sounds, name, voice.port, digest, tcp_only=tunnel)
               for name in ("anna", "ben")]
    for client in clients:
        await_true(lambda: f"user came name={client.name}" in voice.log(), 40,
                   lambda: voice.log()[-2000:] + client.process.said()[-2000:])
    # A client sends always once its sound is set up; then the ways are found.
    await_true(lambda: voice.metric("packets_in") > 100, 30, voice.log)
    if not tunnel:
        await_true(lambda: all("Switching back to UDP" in c.process.said() for c in clients)
                   or voice.metric("packets_in") > 400, 30)
    had = voice.metric("tunnel_in"), voice.metric("packets_in")
    with sounds.ear("ben") as heard:
        sounds.say("anna", speech)
    with sounds.ear("ben") as control:
        sounds.say("anna", noise)
    said = wav_samples(speech)
    like, unlike = correlation(said, heard), correlation(said, control)
    print(f"speech {like:.3f}, noise {unlike:.3f}")
    assert like >= 0.9 and unlike < 0.6
    tunnelled = voice.metric("tunnel_in") - had[0], voice.metric("packets_in") - had[1]
    assert tunnelled[1] > 200
    assert tunnelled[0] == tunnelled[1] if tunnel else tunnelled[0] == 0
    assert voice.metric("forged") == 0 and voice.metric("junk") == 0
