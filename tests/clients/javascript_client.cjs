// What the JavaScript client does with tokens, users and organizations, on one server.
// Prints a line for each call. Reads CLIENT_HOST, CLIENT_TOKEN and CLIENT_PASSWORD.
const {InfluxDB} = require("@influxdata/influxdb-client");
const apis = require("@influxdata/influxdb-client-apis");

const {CLIENT_HOST: url, CLIENT_TOKEN: token, CLIENT_PASSWORD: password} = process.env;

async function say(name, call) {
  try {
    const result = await call();
    console.log(name, JSON.stringify(result) ?? "nothing");
    return result;
  } catch (error) {
    console.log(name, "failed", error.statusCode, error.code, error.json?.message);
  }
}

const clients = (influx) => ({
  tokens: new apis.AuthorizationsAPI(influx),
  users: new apis.UsersAPI(influx),
  orgs: new apis.OrgsAPI(influx),
  buckets: new apis.BucketsAPI(influx),
});

async function whole(influx) {
  const {tokens, users, orgs, buckets} = clients(influx);
  await say("health", async () => {
    const {name, status, version} = await new apis.HealthAPI(influx).getHealth();
    return [name, status, version];
  });
  await say("ping", () => new apis.PingAPI(influx).getPing());
  await say("ready", async () => (await new apis.ReadyAPI(influx).getReady()).status);
  await say("setup", () => new apis.SetupAPI(influx).getSetup());
  const found = await say("getOrgs", () => orgs.getOrgs({org: "main"}));
  const orgID = found.orgs[0].id;
  const named = await say("getBuckets", () => buckets.getBuckets({org: "main", name: "telemetry"}));
  const resource = {type: "buckets", orgID, id: named.buckets[0].id};
  const body = {orgID, description: "js", permissions: [{action: "read", resource}]};
  const made = await say("postAuthorizations", () => tokens.postAuthorizations({body}));
  const authID = made.id;
  await say("getAuthorizations", async () =>
    (await tokens.getAuthorizations({user: "admin", org: "main"})).authorizations.length);
  await say("getAuthorizationsID", () => tokens.getAuthorizationsID({authID}));
  const changed = {status: "inactive", description: "js2"};
  await say("patchAuthorizationsID", () => tokens.patchAuthorizationsID({authID, body: changed}));
  await say("deleteAuthorizationsID", () => tokens.deleteAuthorizationsID({authID}));
  await say("getAuthorizationsID-404", () => tokens.getAuthorizationsID({authID}));
  await say("getMe", () => new apis.MeAPI(influx).getMe());
  const user = await say("postUsers", () => users.postUsers({body: {name: "jsuser"}}));
  const userID = user.id;
  await say("postUsersIDPassword", () =>
    users.postUsersIDPassword({userID, body: {password: "js-password"}}));
  await say("patchUsersID", () => users.patchUsersID({userID, body: {name: "jsuser2"}}));
  await say("getUsers", async () => (await users.getUsers({limit: 100})).users.length);
  await say("postOrgsIDMembers", () => orgs.postOrgsIDMembers({orgID, body: {id: userID}}));
  await say("getOrgsIDMembers", () => orgs.getOrgsIDMembers({orgID}));
  await say("deleteOrgsIDMembersID", () => orgs.deleteOrgsIDMembersID({orgID, userID}));
  await say("deleteUsersID", () => users.deleteUsersID({userID}));
  const other = await say("postOrgs", () => orgs.postOrgs({body: {name: "jsorg"}}));
  const otherID = {orgID: other.id};
  await say("patchOrgsID", () => orgs.patchOrgsID({...otherID, body: {description: "d"}}));
  await say("deleteOrgsID", () => orgs.deleteOrgsID(otherID));
  await say("getResources", () => new apis.ResourcesAPI(influx).getResources());
}

const byName = (found) => found.sort((one, other) => (one.name < other.name ? -1 : 1));

async function odd(influx) {
  const {tokens, users, orgs, buckets} = clients(influx);
  const orgID = (await orgs.getOrgs({org: "main"})).orgs[0].id;
  for (const {id, name} of byName((await users.getUsers({limit: 100})).users)) {
    await say("user", async () => (await users.getUsers({name})).users[0].name);
    const permissions = [{action: "read", resource: {type: "users", id}}];
    const body = {orgID, userID: id, description: name, permissions};
    await say("token", () => tokens.postAuthorizations({body}));
    await say("by_user", () => tokens.getAuthorizations({user: name}));
  }
  for (const {name} of byName((await orgs.getOrgs({limit: 100})).orgs)) {
    await say("org", () => orgs.getOrgs({org: name}));
    await say("buckets", async () =>
      (await buckets.getBuckets({org: name, limit: 100})).buckets.map((one) => one.name));
  }
}

async function main() {
  const influx = new InfluxDB({url, token});
  await (process.argv[2] === "odd" ? odd : whole)(influx);
  const sessions = new apis.SigninAPI(influx);
  await say("signin", () => sessions.postSignin({auth: {user: "admin", password}}));
  await say("signin-wrong", () => sessions.postSignin({auth: {user: "admin", password: "wrong-one"}}));
  const wrong = new apis.AuthorizationsAPI(new InfluxDB({url, token: "wrong"}));
  await say("wrong-token", () => wrong.getAuthorizations());
}

main();
