/** A policy's text is no deeper and no longer than this: Cedar's parser recurses, and runs out of stack at ten times as much. */
export const cedarLimits = { statements: 100, nesting: 24, operators: 120 } as const;

const token =
  /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[([{]|[)\]}]|;|&&|\|\||[-+*!<>=.]+|\b(?:if|in|is|has|like)\b|\s+|[^\s"()[\]{};&|+*!<>=.-]+|./gsu;

/** Why a text is not even shown to the parser; undefined when it may be. Only tokens are looked at, nothing is nested here. */
export function tooComplex(text: string): string | undefined {
  let depth = 0;
  let operators = 0;
  let statements = 0;
  for (const [one] of text.matchAll(token)) {
    if (/^[([{]$/.test(one)) depth += 1;
    else if (/^[)\]}]$/.test(one)) depth = Math.max(0, depth - 1);
    else if (/^(?:&&|\|\||if|in|is|has|like)$/.test(one)) operators += 1;
    else if (/^[-+*!<>=.]+$/.test(one)) operators += one.length > 2 ? one.length : 1;
    else if (one === ";" && depth === 0) {
      statements += 1;
      operators = 0;
    }
    if (depth > cedarLimits.nesting) return `brackets are nested deeper than ${cedarLimits.nesting}`;
    if (operators > cedarLimits.operators)
      return `a statement has more than ${cedarLimits.operators} operators`;
    if (statements > cedarLimits.statements)
      return `there are more than ${cedarLimits.statements} statements`;
  }
  return undefined;
}
