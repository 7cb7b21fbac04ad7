export { invoiceRoutes } from "./invoices.http.ts";
export { invoiceJobs } from "./invoices.jobs.ts";
export { type InvoiceDeps, invoiceMonth } from "./invoices.ts";
