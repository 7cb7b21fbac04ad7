/** Basis points as a percentage, exact: 290 is 2.90 %. */
export const basisPoints = (points: number): string =>
  `${Math.floor(points / 100)}.${String(points % 100).padStart(2, "0")} %`;
