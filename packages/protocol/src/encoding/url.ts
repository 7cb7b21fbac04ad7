/** The absolute URL of a text, or undefined. (URL.parse is younger than what the SDKs run on.) */
export const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);
