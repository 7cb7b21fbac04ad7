export { invoiceRoutes } from "./invoices.http.ts";
export { invoiceJobs } from "./invoices.jobs.ts";
export { type InvoiceDeps, taxOf } from "./invoices.ts";
