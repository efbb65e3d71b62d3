import { newCommand } from "./command-line.ts";

/**
 * `npm run bench -- <name> [options]`: each bench is a file in `bench/` that exports `run(args)`, measures on
 * a private system of its own, tells people on standard error how it goes, and with `--json` ends in one JSON
 * object on standard output.
 */
interface Bench {
  run(args: readonly string[]): Promise<unknown>;
}

const BENCHES: Readonly<Record<string, { readonly about: string; readonly load: () => Promise<Bench> }>> = {
  overhead: {
    about: "first audio straight at the provider against through edge, Redis and worker",
    load: () => import("../bench/overhead.ts"),
  },
  cache: {
    about: "first frame of cached speech, asked for 200 times a second beside running syntheses",
    load: () => import("../bench/cache.ts"),
  },
  cost: {
    about: "CPU of edge, worker and Redis, and Redis commands, per utterance and per second of audio",
    load: () => import("../bench/cost.ts"),
  },
  memory: {
    about: "resident memory of edge, worker and Redis: 100 sessions with different texts, 20 rounds",
    load: () => import("../bench/memory.ts"),
  },
  append: {
    about: "ways to append to a stream in Redis: time, CPU of server and process",
    load: () => import("../bench/append-path.ts"),
  },
  floods: {
    about:
      "one client at line rate, for each message type and HTTP route, beside listeners: what these notice",
    load: () => import("../bench/floods.ts"),
  },
  resume: {
    about: "a cut connection: until the first missing byte comes from another edge",
    load: () => import("../bench/resume.ts"),
  },
  formats: {
    about: "what it costs to encode a second of speech, in each output format, and its bytes",
    load: () => import("../bench/formats.ts"),
  },
  "first-words": {
    about: "text that comes token by token: until its first audio after the first clause, in five languages",
    load: () => import("../bench/first-words.ts"),
  },
};

const program = newCommand("npm run bench --")
  .usage("<name> [options]")
  .description("Measures what tts-labs costs. Each bench brings up, and ends, what it needs.")
  .option("--list", "name the benches, one per line, and end")
  .on("option:list", () => {
    process.stdout.write(`${Object.keys(BENCHES).join("\n")}\n`);
    process.exit(0);
  });

for (const [name, { about, load }] of Object.entries(BENCHES)) {
  program
    .command(name)
    .description(about)
    .argument("[options...]", `options of its own: bench ${name} --help`)
    .helpOption(false)
    .allowUnknownOption()
    .action(async (args: string[]) => {
      await (await load()).run(args);
    });
}

program.parseAsync(process.argv).catch((error: unknown) => {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
