// Two APIs on Express, each with something to guard at /svc/admin. One has it as the path of a router, the
// other compares its route's parameters. Both say in X-Area what they served.
import express from "express";

const say = (area) => (req, res) => res.set("X-Area", area).send(area);

const byRouter = express();
byRouter.use("/svc/admin", say("/svc/admin"));
byRouter.use("/svc", say("/svc"));
byRouter.use(say(""));

const byParameter = express();
byParameter.all("/:tenant/:section{/*rest}", (req, res, next) => {
  const { tenant, section } = req.params;
  say(tenant.toLowerCase() === "svc" && section.toLowerCase() === "admin" ? "/svc/admin" : "")(req, res, next);
});
byParameter.use(say(""));

const ports = [];
for (const app of [byRouter, byParameter]) {
  app.use((err, req, res, next) => res.status(err.status ?? 500).end()); // without Express's page and log line
  await new Promise((ready) => {
    const server = app.listen(0, "127.0.0.1", () => ready(ports.push(server.address().port)));
  });
}
console.log(JSON.stringify({ ports }));
process.stdin.resume().on("end", () => process.exit(0)); // whoever started this has ended
