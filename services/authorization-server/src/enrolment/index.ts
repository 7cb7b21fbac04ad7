export { createEnrolment, type Enrolment } from "./enrolment.http.ts";
