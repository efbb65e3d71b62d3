import type { Permit } from "@tts-labs/core/breaker/circuit";
import { isFaultOfTheSound, keyVerdictOn, ProviderError, verdictOn } from "@tts-labs/core/breaker/faults";
import { type GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import type { SpeechOptions } from "@tts-labs/protocol/speech-options";
import type { Synthesis, SynthesisAudio, Synthesizer } from "../synthesizer.ts";
import type { ProviderHealth } from "./provider-health.ts";

/**
 * A synthesizer that asks the circuit of its key first and tells it what came of it. One socket, one verdict:
 * its first audio is a success, an end before that is judged by its error. What breaks off after audio is not
 * counted, as the run goes on with a fresh socket at once, and that one tells how the provider is; unless the sound
 * itself is at fault (another format, no end). After such a one, until a run ends well, audio alone is no success.
 *
 * The probe is made on a fresh socket, so that connecting is tried too. A failure of the key may be retried where
 * there is another key; one that every request with the key would meet sets the key aside.
 * @param told what became of a request with a key
 */
export function guardSynthesizer(
  inner: Synthesizer,
  health: ProviderHealth,
  told: (keyId: string, how: GatewayError | "spoke") => void = () => {},
): Synthesizer {
  /** Ids of keys whose last sound was at fault: no more than there are keys. */
  const doubted = new Set<string>();
  const open = async (
    how: "open" | "openFresh",
    speech: SpeechOptions,
    signal: AbortSignal,
    keyId: string | undefined,
  ): Promise<Synthesis> => {
    const permit = await health.circuit(keyId).admit();
    const toError = (cause: unknown) => {
      const error = toGatewayError(cause);
      permit.failed(error);
      if (keyId !== undefined) told(keyId, error);
      const key = keyVerdictOn(error);
      if (key === "rest") health.rest(keyId);
      if (key === "same" || !health.hasOtherThan(keyId)) return error;
      const { code, message, facts } = error;
      const verdicts = { verdict: verdictOn(error), key };
      return new ProviderError(code, verdicts, message, { cause: error, facts, retryable: true });
    };
    try {
      const synthesis = await inner[permit.isProbe ? "openFresh" : how](speech, signal, keyId);
      let isTold = false;
      const succeeded = () => {
        permit.succeeded();
        if (!isTold && keyId !== undefined) told(keyId, "spoke");
        isTold = true;
      };
      return guard(synthesis, { ...permit, succeeded }, toError, {
        get isDoubted() {
          return doubted.has(keyId ?? "");
        },
        doubt: () => doubted.add(keyId ?? ""),
        trust: () => doubted.delete(keyId ?? ""),
      });
    } catch (error) {
      throw toError(error);
    }
  };
  return {
    provider: inner.provider,
    open: (speech, signal, keyId) => open("open", speech, signal, keyId),
    openFresh: (speech, signal, keyId) => open("openFresh", speech, signal, keyId),
    prewarm: (speech) => inner.prewarm(speech),
    close: () => inner.close(),
  };
}

interface Trust {
  readonly isDoubted: boolean;
  doubt(): void;
  trust(): void;
}

function guard(
  inner: Synthesis,
  permit: Permit,
  toError: (cause: unknown) => GatewayError,
  trust: Trust,
): Synthesis {
  async function* events(): AsyncGenerator<SynthesisAudio> {
    let hasSound = false;
    try {
      for await (const chunk of inner.events) {
        hasSound ||= chunk.pcm.byteLength > 0;
        if (hasSound && !trust.isDoubted) permit.succeeded();
        yield chunk;
      }
      if (!hasSound) return;
      trust.trust();
      permit.succeeded();
    } catch (cause) {
      const error = toError(cause);
      if (isFaultOfTheSound(error)) trust.doubt();
      throw error;
    } finally {
      permit.dropped();
    }
  }
  return {
    opening: inner.opening,
    ...(inner.owed === undefined ? {} : { owed: inner.owed }),
    events: events(),
    speak: (text) => inner.speak(text),
    flush: () => inner.flush(),
    end: () => inner.end(),
    abort: (reason) => {
      permit.dropped();
      inner.abort(reason);
    },
  };
}
