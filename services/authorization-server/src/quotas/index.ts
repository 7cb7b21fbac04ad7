export { createQuotas, type QuotaName, type QuotaSettings, type Quotas, usualQuotas } from "./quotas.ts";
