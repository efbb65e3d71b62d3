import {
  isOver,
  nextWholeSpeechState,
  type WholeSpeechEvent,
  type WholeSpeechState,
} from "@tts-labs/edge/speech/whole-speech-state";
import { expect, test } from "vitest";

type Kind = WholeSpeechState["kind"];

/** From each state by each event; `-` where the event changes nothing. */
const TABLE: readonly (readonly [Kind, WholeSpeechEvent, Kind | "-"])[] = [
  ["unbegun", "begin", "making"],
  ["unbegun", "stop", "stopped"],
  ["unbegun", "leave", "left"],
  ["making", "begin", "-"],
  ["making", "stop", "stopped"],
  ["making", "leave", "left"],
  ["stopped", "begin", "-"],
  ["stopped", "stop", "-"],
  ["stopped", "leave", "left"],
  ["left", "begin", "-"],
  ["left", "stop", "-"],
  ["left", "leave", "-"],
];

test.each(TABLE)("%s speech, by %s: %s", (kind, event, expected) => {
  const state: WholeSpeechState = { kind };
  const next = nextWholeSpeechState(state, event);
  if (expected === "-") expect(next).toBe(state);
  else expect(next).toEqual({ kind: expected });
});

test("only speech that was stopped or left begins nothing any more", () => {
  const kinds: readonly Kind[] = ["unbegun", "making", "stopped", "left"];
  expect(kinds.filter((kind) => isOver({ kind }))).toEqual(["stopped", "left"]);
});
