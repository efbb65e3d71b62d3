import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bytes,
  choice,
  duration,
  integer,
  list,
  parseEnvironment,
  seconds,
  secret,
  text,
} from "@tts-labs/core/process/environment";
import { PROFILES } from "@tts-labs/core/process/profiles";
import { settingsText } from "@tts-labs/core/process/program-texts";
import { secretsIn } from "@tts-labs/core/process/secrets";
import { unknownVariables } from "@tts-labs/core/process/unknown-variables";
import { VARIABLE_NAMES } from "@tts-labs/core/process/variable-names";
import { parseEdgeConfig } from "@tts-labs/edge/config";
import { parseWorkerConfig } from "@tts-labs/worker/config";
import { describe, expect, onTestFinished, test } from "vitest";

const variables = {
  waitMs: duration("WAIT_MS", { about: "A wait.", default: 100, min: 1, max: 3_600_000 }),
  idleS: seconds("IDLE_S", { about: "Another.", default: 60, max: 960 }),
  sizeBytes: bytes("SIZE_BYTES", { about: "A size.", default: 1_024 }),
  port: integer("PORT", { about: "A port.", default: 8006, max: 65_535 }),
  level: choice("LEVEL", { about: "A level.", default: "info", of: ["info", "warn"] }),
  hosts: list("HOSTS", { about: "Hosts.", isValid: (it) => /^\w+$/.test(it), right: "a host name" }),
  url: text("URL", { about: "An address.", default: "redis://u:pw@h:1" }),
  key: secret("KEY", { about: "A key." }),
};

function messageOf(env: NodeJS.ProcessEnv): string {
  try {
    parseEnvironment(variables, env);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

function fileWith(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tts-variable-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "value"), content);
  return join(folder, "value");
}

describe("a time or a size", () => {
  test.each([
    ["250", 250],
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5 s", 1_500],
    ["5m", 300_000],
    ["1h", 3_600_000],
  ])("%s is %d ms", (written, ms) => {
    expect(parseEnvironment(variables, { WAIT_MS: written }).waitMs).toBe(ms);
  });

  test.each([
    ["512", 512],
    ["12MB", 12_000_000],
    ["64 KiB", 65_536],
    ["1GiB", 1_073_741_824],
  ])("%s is %d bytes", (written, size) => {
    expect(parseEnvironment(variables, { SIZE_BYTES: written }).sizeBytes).toBe(size);
  });

  test("in seconds may have a unit, too", () => {
    expect(parseEnvironment(variables, { IDLE_S: "2m" }).idleS).toBe(120);
    expect(parseEnvironment(variables, { IDLE_S: "90" }).idleS).toBe(90);
  });

  test.each(["30 sec", "s", "-1s", "1e3", "0x10", "0", "2h", "0.5ms"])("%s is refused", (written) => {
    expect(messageOf({ WAIT_MS: written })).toBe(
      `WAIT_MS=${JSON.stringify(written)} can't be used: it must be a time such as 250ms, 30s, 5m or 2h, or milliseconds without a unit, from 1 to 3600000 ms.`,
    );
  });
});

describe("bad variables", () => {
  test("are told all at once, each in a sentence that says what would be right", () => {
    expect(messageOf({ PORT: "99999", LEVEL: "loud", HOSTS: "a,b c" }).split("\n")).toEqual([
      `PORT="99999" can't be used: it must be a whole number from 0 to 65535.`,
      `LEVEL="loud" can't be used: it must be one of info, warn.`,
      `HOSTS="a,b c" can't be used: it must be a list with commas between, of which each is a host name.`,
    ]);
  });

  test("are told without a secret or a password", () => {
    const refused = { ...variables, url: text("URL", { about: "", default: "", isValid: () => false }) };
    const parse = () => parseEnvironment(refused, { URL: "redis://user:hunter22@host:1" });
    expect(parse).toThrow(/URL="redis:\/\/\[secret\]@host:1" can't be used/);
    expect(parse).not.toThrow(/hunter22/);
  });
});

describe("a value", () => {
  test("may be in a file, whose secret is kept out of logs as well", () => {
    const env = { KEY_FILE: fileWith("sk_from_a_file\n") };
    expect(parseEnvironment(variables, env).key).toBe("sk_from_a_file");
    expect(secretsIn(variables, env)).toContain("sk_from_a_file");
  });

  test("in a file that is not there, or given twice, is told", () => {
    expect(messageOf({ KEY_FILE: "/nowhere/key" })).toBe(
      `KEY_FILE="/nowhere/key" can't be used: it must be a file that holds the value.`,
    );
    expect(messageOf({ KEY: "sk_one", KEY_FILE: fileWith("sk_two") })).toBe(
      "KEY and KEY_FILE are both set: keep one of them.",
    );
  });

  test("is printed with its source, and a secret is not", () => {
    const lines = settingsText(variables, { KEY: "sk_0123456789", WAIT_MS: "30s" }).split("\n");
    expect(lines.map((line) => line.replace(/ +#/, " #"))).toEqual([
      "WAIT_MS=30s # env",
      "IDLE_S=60 # default",
      "SIZE_BYTES=1024 # default",
      "PORT=8006 # default",
      "LEVEL=info # default",
      "HOSTS= # default",
      "URL=redis://[secret]@h:1 # default",
      "KEY=[secret] # env",
      "",
    ]);
  });
});

describe("a profile", () => {
  test("sets many variables at once, and one that is set by itself is stronger", () => {
    const env = { TTS_PROFILE: "telephony", FRAME_SAMPLES: "240" };
    const config = parseEdgeConfig(env);
    expect(config).toMatchObject({ sampleRateHz: 8_000, adaptiveFrames: false, frameSamples: 240 });
    expect(parseEdgeConfig({}).sampleRateHz).toBe(24_000);
  });

  test.each(Object.entries(PROFILES))(
    "%s sets variables that there are, to values that they take",
    (name, profile) => {
      for (const variable of Object.keys(profile.values)) expect(VARIABLE_NAMES).toContain(variable);
      parseEdgeConfig({ TTS_PROFILE: name });
      parseWorkerConfig({ TTS_PROFILE: name });
    },
  );
});

describe("a variable that no program reads", () => {
  test("is found with the name that was meant, where it begins as ours do", () => {
    const env = { WORKER_CONCURENCY: "3", TTS_VOCIE: "x", EDGE_OF_TOWN_HOTEL: "y", PATH: "/bin", PORTT: "1" };
    expect(unknownVariables(env)).toEqual([
      { name: "EDGE_OF_TOWN_HOTEL", nearest: undefined },
      { name: "TTS_VOCIE", nearest: "TTS_VOICE" },
      { name: "WORKER_CONCURENCY", nearest: "WORKER_CONCURRENCY" },
    ]);
  });

  test("is not one that another program reads, nor a file's", () => {
    expect(
      unknownVariables({ SIMULATOR_PORT: "1", WORKER_PICKUP_TIMEOUT_MS: "2", TTS_VOICE_FILE: "f" }),
    ).toEqual([]);
  });
});
