/** What the document of the vending backend says of it as a whole. */
export const published = {
  title: "Vending",
  description: `Machines and what is sold by them: for the customer at a machine, and for the merchant whose machines they are.

Customers need no key: a machine is known by the code on its sticker, and a sale by its id, which only whoever began it has. An address may ask so many times a minute; past that the
status is 429, with the seconds to wait in \`Retry-After\`.

A merchant's API key goes in \`X-Api-Key\`: an owner's, for whom the payment platform shows the merchant config that a machine sells under.
A machine that is missing and one that is not yours are one answer, with status 403. Lists come a page at a time: ask again with \`pageKey\` as the
\`nextPageKey\` of the page before, until there is none. Amounts are whole minor units, as strings of digits.`,
  tags: {
    "At the machine": "What a customer's page asks for, from the sticker to the money that came back.",
    Machines: "How they are, what they have sold, and what is not known of it.",
    Configuration: "What is set in a machine from afar.",
    Notifications: "What the payment platform tells of payments.",
  },
  documentAt: "/api/vending/openapi.json",
  pageAt: "/docs/vending",
} as const;
