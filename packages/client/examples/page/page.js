/** No bundler: the page's server has put the package's `dist` at /client/. With one, write "@tts-labs/client". */
import { SpeechClient } from "/client/index.js";
import { Player } from "/client/player.js";

const at = (id) => document.getElementById(id);
let speech;

const client = SpeechClient.connect({ url: new URLSearchParams(location.search).get("server") });

at("speak").addEventListener("click", async () => {
  try {
    // Opened in answer to a click: until then browsers keep silent.
    const player = await Player.open();
    speech = (await client).speakAll(at("text").value);
    const { playedSamples, underruns } = await player.play(speech).finished;
    const { outcome } = await speech.finished;
    await player.close();
    at("status").textContent = `${outcome}: ${playedSamples} samples heard, ${underruns} gaps`;
  } catch (error) {
    at("status").textContent = `${error.message} (${error.code})`;
  }
});

at("stop").addEventListener("click", async () => {
  const { textHeard } = await speech.cancel();
  at("status").textContent = `Heard: ${textHeard}`;
});
