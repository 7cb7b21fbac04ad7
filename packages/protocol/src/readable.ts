/**
 * Text that a person or a model is shown as somebody else's words: no control characters, no line separators, and nothing
 * that turns the direction of writing. With them a stranger's words could pass for ours (G01).
 */
export const readable = /^[^\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+$/u;
