// What is wrapped says what it is and where it belongs, so that one ciphertext cannot stand in another's place.

export const dataKeyAad = (scope: string): string => `data key\n${scope}`;

export const signingKeyAad = (purpose: string, kid: string): string => `signing key\n${purpose}\n${kid}`;

export const rootAad = "root secret";
