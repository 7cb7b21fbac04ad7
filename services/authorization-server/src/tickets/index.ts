export { createTickets, type Ticket, type TicketOf, type Tickets } from "./tickets.ts";
