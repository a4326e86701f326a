"""Two unmodified Mumble clients talk through ringmain: what is said into the microphone of one comes out
of the loudspeaker of the other."""
import pytest

from mumble_gui import RATE, Mumble, Sounds, likeness, seconds_of_sound, server_digest, wav_samples
from stage import await_true, need, run
from voice_stage import ringmain_voice

pytestmark = pytest.mark.real_time("what is said and heard is played in real time")

TEXT = "The quick brown fox jumps over the lazy dog. This is the voice of a ring main."


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
        client.await_sound()
        await_true(lambda: f"user came name={client.name}" in voice.log(), 40,
                   lambda: voice.log()[-2000:] + client.process.said()[-2000:])
    # A client sends always once its sound is set up; then the ways are found.
    await_true(lambda: voice.metric("packets_in") > 100, 30, voice.log)
    if not tunnel:
        await_true(lambda: all("Switching back to UDP" in c.process.said() for c in clients)
                   or voice.metric("packets_in") > 400, 30)
    had = voice.metrics("tunnel_in", "packets_in")
    said, length = wav_samples(speech), len(wav_samples(speech)) / RATE

    def state():
        return "\n".join([f"{seconds_of_sound(heard())} s of sound, like {likeness(said, heard()):.3f}",
                          *(c.process.said()[-2000:] for c in clients), voice.log()[-2000:]])
    with sounds.ear("ben") as heard:
        sounds.say("anna", speech)
        await_true(lambda: likeness(said, heard()) >= 0.9, 20, state)
    with sounds.ear("ben") as heard:
        sounds.say("anna", noise)
        await_true(lambda: seconds_of_sound(heard()) > 0.8 * length, 20, state)
        assert likeness(said, heard()) < 0.7
    tunnelled, all_in = (now - then for now, then in
                         zip(voice.metrics("tunnel_in", "packets_in"), had))
    assert all_in > 200
    # They are counted one after the other, while more come.
    assert abs(all_in - tunnelled) < 20 if tunnel else tunnelled == 0
    assert voice.metric("forged") == 0 and voice.metric("junk") == 0
