import { elevenLabsQuerySchema } from "@tts-labs/edge/dialects/elevenlabs/http/speech";
import { elevenLabsBodySchema } from "@tts-labs/edge/dialects/elevenlabs/wire/speech-body";
import { mintTokenSchema } from "@tts-labs/edge/dialects/listen/mint-token";
import { synthesizeBodySchema } from "@tts-labs/edge/dialects/synthesize/synthesize";
import { tokenBodySchema } from "@tts-labs/edge/http/mint-token";
import { liveQuerySchema } from "@tts-labs/edge/http/ops-routes";
import { MAX_CLIENT_MESSAGE_BYTES } from "@tts-labs/protocol/limits";
import type { z } from "zod";
import { elevenLabsPaths } from "./elevenlabs-paths.ts";
import {
  errorSchema,
  healthSchema,
  infoSchema,
  listenerTokenSchema,
  liveSchema,
  readinessSchema,
  scalingSchema,
  speechSchema,
  tokenSchema,
  versionSchema,
  voicesSchema,
} from "./http-answers.ts";
import { synthesizeExamples } from "./http-examples.ts";
import { type JsonSchema, toJsonSchema } from "./json-schema.ts";

const schemas = {
  SynthesizeRequest: synthesizeBodySchema,
  Speech: speechSchema,
  TextToSpeechRequest: elevenLabsBodySchema,
  TokenRequest: tokenBodySchema,
  Token: tokenSchema,
  ListenerTokenRequest: mintTokenSchema,
  ListenerToken: listenerTokenSchema,
  Voices: voicesSchema,
  Live: liveSchema,
  Scaling: scalingSchema,
  Info: infoSchema,
  Version: versionSchema,
  Health: healthSchema,
  Readiness: readinessSchema,
  Error: errorSchema,
} as const;

type SchemaName = keyof typeof schemas;

/** The edge's HTTP routes as an OpenAPI 3.1 document. */
export function openApiDocument(): object {
  return {
    openapi: "3.1.0",
    info: { title: "tts-labs over HTTP", version: "1.0.0", description: ABOUT, license: LICENSE },
    servers: [{ url: "http://localhost:8006", description: "An edge as `npm start` brings it up." }],
    tags: [
      { name: "speech", description: "For applications." },
      { name: "operation", description: "For operators, balancers and Prometheus." },
    ],
    paths: {
      "/api/v1/synthesize": { post: SYNTHESIZE },
      "/api/v1/tokens": { post: TOKENS },
      ...elevenLabsPaths(parametersOf(elevenLabsQuerySchema), refTo("TextToSpeechRequest")),
      "/api/v1/sessions/{session_id}/listeners": { post: MINT_TOKEN },
      "/api/v1/voices": {
        get: get("speech", "listVoices", "The voices that may be asked for.", { 200: answer("Voices") }),
      },
      "/api/v1/info": {
        get: forOps("showInfo", "Defaults and limits of this edge.", { 200: answer("Info") }),
      },
      "/version": {
        get: forOps("version", "Which program answers, and which version of it.", { 200: answer("Version") }),
      },
      "/api/v1/scaling": {
        get: forOps("showScaling", "How much there is to do, for an autoscaler.", {
          200: answer("Scaling"),
          503: error("Redis is away, so it is not known: keep the size there is."),
        }),
      },
      "/api/v1/live": {
        get: {
          ...forOps("showLive", "Sessions and utterances that are live, on all nodes.", {
            200: answer("Live"),
            400: error("A parameter is out of range."),
            503: error("Redis is away."),
          }),
          parameters: parametersOf(liveQuerySchema),
        },
      },
      "/healthz": {
        get: get("operation", "healthz", "Does the process run? Asks nobody else.", {
          200: answer("Health"),
        }),
      },
      "/readyz": {
        get: get("operation", "readyz", "Is new work taken?", {
          200: answer("Readiness", "Ready."),
          404: answer("Readiness", "Draining: keep the connections there are, send no new ones."),
          503: answer("Readiness", "Redis is away."),
        }),
      },
      "/metrics": {
        get: forOps("metrics", "Figures for Prometheus.", {
          200: {
            description: "Text in Prometheus' exposition format.",
            headers: REQUEST_ID,
            content: { "text/plain": { schema: { type: "string" } } },
          },
        }),
      },
    },
    // Asked for where ACCESS is keys. An edge that is open looks at none of them.
    security: [{}, { bearer: [] }, { xApiKey: [] }, { xiApiKey: [] }, { token: [] }],
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "An API key." },
        xApiKey: { type: "apiKey", in: "header", name: "x-api-key" },
        xiApiKey: { type: "apiKey", in: "header", name: "xi-api-key" },
        token: { type: "apiKey", in: "query", name: "token", description: "A token for one use." },
      },
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => [name, toJsonSchema(schema, "draft-2020-12")]),
      ),
    },
  };
}

const TOKENS = {
  tags: ["speech"],
  operationId: "mintToken",
  summary:
    "A token for a page: good for one use, for seconds, and shown in the query as `token`. Needs a key.",
  requestBody: {
    required: true,
    content: { "application/json": { schema: { $ref: "#/components/schemas/TokenRequest" } } },
  },
  get responses() {
    return {
      201: answer("Token"),
      401: error("No key was shown, or none that is valid."),
      409: error("The edge is open, and takes no tokens."),
      default: error("Anything else that went wrong."),
    };
  },
};

const OPS_SERVERS = [
  {
    url: "http://localhost:8005",
    description: "The edge's port for operators (OPS_PORT), not the clients'.",
  },
];

const LICENSE = { name: "MIT", identifier: "MIT" };

const ABOUT = `A whole text in one request. For text that is still being written, for several utterances in one session and for
stopping in mid-sentence, use the WebSocket: [asyncapi.yaml](asyncapi.yaml).

Every answer carries \`x-request-id\`: the one that was sent with the request, where there was one, else a new one. It
stands in the logs of every process on the way. Every error has the same shape and a stable code: [errors.md](errors.md).

This document is written by \`scripts/generate-docs.ts\`; tests hold a running edge against it.`;

const REQUEST_ID = {
  "x-request-id": { description: "Names this request in every log.", schema: { type: "string" } },
};

const refTo = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` });

const answer = (name: SchemaName, description = schemas[name].description ?? name) => ({
  description,
  headers: REQUEST_ID,
  content: { "application/json": { schema: refTo(name) } },
});

const error = (description: string) => answer("Error", description);

const get = (tag: string, operationId: string, summary: string, responses: Record<number, object>) => ({
  tags: [tag],
  operationId,
  summary,
  responses: { ...responses, default: error("Anything else that went wrong.") },
});

const forOps = (operationId: string, summary: string, responses: Record<number, object>) => ({
  servers: OPS_SERVERS,
  ...get("operation", operationId, summary, { ...responses, 429: error("Operators ask too much at once.") }),
});

const audio = (about: string) => ({ schema: { type: "string", format: "binary", description: about } });

const MINT_TOKEN = {
  ...get("speech", "mintListenerToken", "Gives a token with which others hear what a session speaks.", {
    201: answer("ListenerToken"),
    401: error("The resume token is not the session's."),
    404: error("There is no such session."),
    503: error("The session has as many tokens as it may have, or Redis is away."),
  }),
  parameters: [
    {
      name: "session_id",
      in: "path",
      required: true,
      schema: { type: "string" },
      description: "As `connected` gave it.",
    },
  ],
  requestBody: {
    required: true,
    content: { "application/json": { schema: refTo("ListenerTokenRequest") } },
  },
};

const SYNTHESIZE = {
  tags: ["speech"],
  operationId: "synthesize",
  summary: "Speaks a text.",
  description: `The answer's form goes by the field \`format\`, else by \`Accept\`. JSON (the default) comes when all has been spoken; all else is
streamed while it is being spoken. A streamed answer that fails in the middle is cut off without a proper end, so that it
can't be taken for complete. A WAV that is streamed can't know its length: its header says "as long as it gets".`,
  requestBody: {
    required: true,
    description: `At most ${MAX_CLIENT_MESSAGE_BYTES} bytes.`,
    content: { "application/json": { schema: refTo("SynthesizeRequest"), examples: synthesizeExamples } },
  },
  responses: {
    200: {
      description: "The speech.",
      headers: {
        ...REQUEST_ID,
        "x-cache": {
          description:
            "hit (it had been spoken before), joined (another request was just saying the same), miss, off.",
          schema: { type: "string", enum: ["hit", "joined", "miss", "off"] },
        },
        "x-substituted": {
          description:
            "Who spoke instead, as in a query: voice, model, provider where it is another one, and the reason (an error code). With WAV and PCM only where that was known before the first sample.",
          schema: { type: "string" },
          example: "voice=simGermanAnna000000A&model=eleven_flash_v2_5&reason=provider.circuit_open",
        },
        "x-sample-rate": { description: "Hz; with all but JSON.", schema: { type: "integer" } },
      },
      content: {
        "application/json": { schema: refTo("Speech") },
        "audio/wav": audio("Mono, 16 bits."),
        "audio/pcm": audio("Mono 16-bit little-endian samples. Also for `Accept: application/octet-stream`."),
        "audio/mpeg": audio("MP3, mono."),
        "audio/ogg": audio("Opus in Ogg, mono."),
        "audio/flac": audio("FLAC, mono, 16 bits."),
        "audio/basic": audio("µ-law, 8 kHz, mono, without a header."),
        "audio/x-alaw-basic": audio("A-law, 8 kHz, mono, without a header."),
      },
    },
    400: error("The body is not what it should be; the message names the field."),
    406: error("None of the accepted formats can be produced."),
    413: error("The body or its text is too long."),
    415: error("The body is not application/json."),
    422: error("The provider has no such voice or model, or refuses the settings."),
    502: error("The provider failed."),
    503: error(
      "Too much to do, or a part is away. `Retry-After` says how long to wait, where that is known.",
    ),
    504: error("The provider did not answer in time."),
    default: error("Anything else that went wrong."),
  },
};

/** An object schema's fields as query parameters. */
function parametersOf(schema: z.ZodType): readonly object[] {
  const { properties = {}, required = [] } = toJsonSchema(schema, "draft-2020-12") as {
    properties?: Record<string, JsonSchema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...fieldSchema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    description,
    schema: fieldSchema,
  }));
}
