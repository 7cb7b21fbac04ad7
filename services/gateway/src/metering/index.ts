export { type Count, countOf, useOf } from "./count.ts";
export { costOf, leastOf, type Meter, type MeteredUnit, meterOf, meterText, usePaidBy } from "./meter.ts";
export { askingForUsage, isEventStream, uncountable } from "./usage.ts";
