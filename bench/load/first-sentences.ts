/** A first sentence as a model writes it, token by token. */
export interface FirstSentence {
  readonly language: "en" | "de" | "hi" | "zh" | "ja";
  readonly text: string;
}

/** Of 27 and of 163 characters in each language. */
export const FIRST_SENTENCES: readonly FirstSentence[] = [
  { language: "en", text: "Sure, let me check for you." },
  {
    language: "en",
    text:
      "I have looked through all of your orders from last month, and it seems that the one you are asking about was " +
      "sent to the old address that we still have on records.",
  },
  { language: "de", text: "Gern, ich sehe gleich nach." },
  {
    language: "de",
    text:
      "Ich habe mir alle Ihre Bestellungen vom letzten Monat angesehen, und wie es scheint, ging die Sendung, nach der " +
      "Sie fragen, noch an Ihre alte Adresse in der Stadt.",
  },
  { language: "hi", text: "जी हाँ, मैं अभी दिखाता हूँ।" },
  {
    language: "hi",
    text:
      "मैंने पिछले महीने के आपके सभी ऑर्डर ध्यान से देख लिए हैं, और ऐसा लगता है कि जिस सामान के बारे में आप पूछ रहे हैं, वह आपके " +
      "पुराने पते पर भेज दिया गया था और लौट आया।",
  },
  { language: "zh", text: "好的，请您稍等一下，我现在马上就为您查询这个订单情况。" },
  {
    language: "zh",
    text:
      "我已经仔细查看了您上个月的所有订单，看起来您所询问的那一件商品被寄到了我们系统里仍然保存着的旧地址，所以快递员在送货的时候没有找到您本人，" +
      "后来又把包裹带回了离您家不远的那个配送站，现在包裹完好地存放在那里，您可以带上自己的身份证在这个星期五之前的任何一个工作日过去领取，" +
      "或者由我们在明天上午重新为您安排一次免费的送货上门服务。",
  },
  { language: "ja", text: "はい、少々お待ちください、ただいまお調べいたしますね。" },
  {
    language: "ja",
    text:
      "先月のご注文をすべて確認いたしましたところ、お問い合わせの商品は、以前ご登録いただいていた古いご住所のほうへ発送されてしまったようで、" +
      "配達員がお伺いした際にご不在だったため、現在はお近くの営業所でお預かりしておりますので、今週の金曜日までにお受け取りいただくか、" +
      "明日の午前中に無料でお届けするか、どちらかをお選びくださいませ。",
  },
];

/** Words with the white space before them; characters where a language writes no spaces. */
export function toTokens({ language, text }: FirstSentence): readonly string[] {
  return language === "zh" || language === "ja" ? [...text] : (text.match(/\s*\S+/gu) ?? []);
}

/** Characters that make a clause of their own: about 1.5 s of speech (docs/first-words.md). */
const CLAUSE_CHARACTERS: Readonly<Record<FirstSentence["language"], number>> = {
  en: 25,
  de: 25,
  hi: 25,
  zh: 8,
  ja: 12,
};

/** The token that ends the first clause: the first mark behind a clause's worth of characters, or the sentence's. */
export function firstClauseToken(tokens: readonly string[], language: FirstSentence["language"]): number {
  let characters = 0;
  return tokens.findIndex((token) => {
    characters += token.length;
    const isLongEnough = characters >= CLAUSE_CHARACTERS[language];
    return /[.!?।。！？]$/u.test(token) || (isLongEnough && /[,;:，、]$/u.test(token));
  });
}
