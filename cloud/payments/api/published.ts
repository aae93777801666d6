/** What the payment API's document says of it as a whole. */
export const published = {
  title: "Payments",
  description: `Payment requests, assets, vouchers, refunds and webhooks.

An API key goes in \`X-Api-Key\`. Amounts are whole minor units, as strings of digits. Lists come a page at a time: ask again with
\`pageKey\` as the \`nextPageKey\` of the page before, until there is none.

What is missing and what is not yours are one answer, with status 403. An error's \`message\` is a code that a program may rely on,
and in a 400 the sentence itself with the field's name in front.

An account may ask so many times a minute, over all of its keys, and an address so many times what needs no key. Past that the status is 429, with the seconds to wait in
\`Retry-After\`. What is experimental answers with \`X-Experimental\`,
and so does a request that has an experimental field.`,
  tags: {
    "Payment requests":
      "What a merchant asks for and a customer pays: from the first moment to the last refund.",
    "Patron codes": "What a customer's wallet shows for a merchant to scan.",
    Assets: "What can be spent: wallets of money, and tokens.",
    Vouchers: "Money that a code pays with.",
    Tokens: "Assets that are spent whole, for what their collection says.",
    Accounts: "Whoever has keys, assets and merchants.",
    "API keys": "Who may act for an account, and as what.",
    Merchants: "Whoever is paid, as customers know them.",
    "Merchant configs": "What a merchant takes, and where it goes.",
    Webhooks: "What happens, told to a server of yours.",
    "Test clock": "A test account's own time, for what happens later.",
  },
  documentAt: "/api/openapi.json",
  pageAt: "/docs",
} as const;
