/**
 * Headers of every HTTP answer unless the route has its own: what is sent is what it says it is, no address of ours is
 * told to other sites, no other site embeds it, and nothing in it runs.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};
