import type * as fromClient from "@tts-labs/protocol/client-message";
import type { ErrorCode } from "@tts-labs/protocol/errors";
import type * as fromServer from "@tts-labs/protocol/server-message";
import type * as wire from "@tts-labs/protocol/wire-types";
import { expect, expectTypeOf, it } from "vitest";
import { wireTypes } from "../../../scripts/docs/wire-types.ts";

/** These are held by `tsc`, in `npm run check`. */
it("the types that clients are made of are those that the schemas infer", () => {
  expectTypeOf<wire.ErrorCode>().toEqualTypeOf<ErrorCode>();
  expectTypeOf<wire.ClientMessage>().toEqualTypeOf<fromClient.ClientMessage>();
  expectTypeOf<wire.ServerMessage>().toEqualTypeOf<fromServer.ServerMessage>();
  expectTypeOf<wire.ServerMessageType>().toEqualTypeOf<fromServer.ServerMessageType>();
});

it("they import nothing, so that a client's declarations need no schema library", () => {
  expect(wireTypes()).not.toMatch(/\bimport\b/);
});
