/**
 * Longest request line and headers together, in bytes; a longer head is answered 431. Balancers that add identity
 * headers of their own reach 4.5 KB, which is over the server library's default of 4 KB. The library reads this once,
 * when it is loaded: import this file before it.
 */
const MAX_HEAD_BYTES = 16_384;

process.env["UWS_HTTP_MAX_HEADERS_SIZE"] ||= String(MAX_HEAD_BYTES);
