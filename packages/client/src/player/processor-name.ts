/** The name under which the worklet registers its processor and the player asks for it. */
export const PROCESSOR_NAME = "tts-labs-player";
