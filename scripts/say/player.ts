import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { AudioOutput } from "./audio-output.ts";
import { openAudioPipe } from "./audio-output.ts";

/** Programs that play a stream of samples, in the order in which they are looked for. */
const PLAYERS: readonly {
  readonly name: string;
  readonly raw: boolean;
  args(rate: number): readonly string[];
}[] = [
  {
    name: "pw-play",
    raw: true,
    args: (rate) => ["--rate", `${rate}`, "--channels", "1", "--format", "s16", "-"],
  },
  {
    name: "paplay",
    raw: true,
    args: (rate) => ["--raw", "--format=s16le", `--rate=${rate}`, "--channels=1"],
  },
  {
    name: "aplay",
    raw: true,
    args: (rate) => ["-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", `${rate}`],
  },
  { name: "ffplay", raw: false, args: () => ["-loglevel", "error", "-nodisp", "-autoexit", "-i", "-"] },
  { name: "play", raw: false, args: () => ["-q", "-t", "wav", "-"] },
];

export const NO_PLAYER = `No player was found on PATH (${PLAYERS.map(({ name }) => name).join(", ")}): install one, or leave out --play and open the file.`;

/** The path of the first player there is, with how to call it. */
export function findPlayer(path: string) {
  for (const player of PLAYERS) {
    for (const folder of path.split(delimiter).filter((it) => it !== "")) {
      const file = join(folder, player.name);
      try {
        accessSync(file, constants.X_OK);
        return { ...player, file };
      } catch {
        // The file is not in this folder.
      }
    }
  }
  return undefined;
}

/** Plays while speech arrives; `close` resolves when all has been played. @throws Error with a sentence */
export function openPlayer(path: string, sampleRateHz: number): AudioOutput {
  const player = findPlayer(path);
  if (player === undefined) throw new Error(NO_PLAYER);
  const child: ChildProcess = spawn(player.file, player.args(sampleRateHz), {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let said = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    said = `${said}${bytes.toString()}`.slice(-200);
  });
  const ended = Promise.race([
    once(child, "close").then(([code]) => (code === 0 ? undefined : said.trim() || `it ended with ${code}`)),
    once(child, "error").then(([error]) => String(error)),
  ]);
  const { stdin } = child;
  if (stdin === null) throw new Error("a player without input");
  // That it has ended is told with its own words, by `ended`.
  stdin.on("error", () => {});
  const pipe = openAudioPipe(stdin, { sampleRateHz, raw: player.raw });
  const fail = (reason: string | undefined) => {
    if (reason !== undefined) throw new Error(`${player.name} could not play it: ${reason}`);
  };
  return {
    write: async (at, samples) => {
      if (child.exitCode !== null) fail((await ended) ?? "it ended early");
      await Promise.race([pipe.write(at, samples), ended.then((reason) => fail(reason ?? "it ended early"))]);
    },
    close: async () => {
      stdin.end();
      fail(await ended);
    },
  };
}
