// A program for the tests of startProcess: says what it got, and ends with 7 when asked to.
if (process.argv.includes("--die")) {
  process.stderr.write("out of luck\n");
  process.exit(3);
}
process.once("SIGTERM", () => process.exit(7));
const names = Object.keys(process.env).join(" ");
process.stdout.write(`names ${names}\n`);
process.stdout.write(
  `ready ${process.version} ${process.env["GREETING"]} ${process.argv.slice(2).join(" ")}\n`,
);
setInterval(() => undefined, 60_000);
