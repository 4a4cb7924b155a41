// What the Go client does with tokens, users and organizations, on one server. Prints a line for
// each call. Reads CLIENT_HOST, CLIENT_TOKEN and CLIENT_PASSWORD.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/influxdata/influxdb-client-go/v2/domain"
)

var ctx = context.Background()

// say prints what came of one call, and gives it on.
func say[T any](name string, result T, err error) T {
	if err != nil {
		fmt.Println(name, "failed", err)
		return result
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	fmt.Println(name, string(encoded))
	return result
}

func done(name string, err error) { say[any](name, nil, err) }

func reads(kind domain.ResourceType, id *string, orgID *string) []domain.Permission {
	return []domain.Permission{{
		Action:   domain.PermissionActionRead,
		Resource: domain.Resource{Type: kind, Id: id, OrgID: orgID},
	}}
}

func whole(client influxdb2.Client) {
	tokens, users := client.AuthorizationsAPI(), client.UsersAPI()
	orgs, buckets := client.OrganizationsAPI(), client.BucketsAPI()
	pong, err := client.Ping(ctx)
	say("Ping", pong, err)
	health, err := client.Health(ctx)
	say("Health", []any{health.Name, health.Status, health.Version}, err)
	ready, err := client.Ready(ctx)
	say("Ready", ready.Status, err)
	org, err := orgs.FindOrganizationByName(ctx, "main")
	say("FindOrganizationByName", org, err)
	made, err := tokens.CreateAuthorizationWithOrgID(ctx, *org.Id, reads("buckets", nil, org.Id))
	say("CreateAuthorizationWithOrgID", made, err)
	found, err := tokens.GetAuthorizations(ctx)
	say("GetAuthorizations", len(*found), err)
	found, err = tokens.FindAuthorizationsByUserName(ctx, "admin")
	say("FindAuthorizationsByUserName", len(*found), err)
	found, err = tokens.FindAuthorizationsByOrgName(ctx, "main")
	say("FindAuthorizationsByOrgName", len(*found), err)
	found, err = tokens.FindAuthorizationsByOrgID(ctx, *org.Id)
	say("FindAuthorizationsByOrgID", len(*found), err)
	inactive := domain.AuthorizationUpdateRequestStatusInactive
	changed, err := tokens.UpdateAuthorizationStatus(ctx, made, inactive)
	say("UpdateAuthorizationStatus", changed, err)
	done("DeleteAuthorization", tokens.DeleteAuthorization(ctx, made))
	me, err := users.Me(ctx)
	say("Me", me, err)
	user, err := users.CreateUserWithName(ctx, "gouser")
	say("CreateUserWithName", user, err)
	done("UpdateUserPassword", users.UpdateUserPassword(ctx, user, "go-password"))
	named, err := users.FindUserByName(ctx, "gouser")
	say("FindUserByName", named, err)
	all, err := users.GetUsers(ctx)
	say("GetUsers", len(*all), err)
	member, err := orgs.AddMember(ctx, org, user)
	say("AddMember", member, err)
	members, err := orgs.GetMembers(ctx, org)
	say("GetMembers", members, err)
	done("RemoveMember", orgs.RemoveMember(ctx, org, user))
	owner, err := orgs.AddOwner(ctx, org, user)
	say("AddOwner", owner, err)
	owners, err := orgs.GetOwners(ctx, org)
	say("GetOwners", owners, err)
	other, err := orgs.CreateOrganizationWithName(ctx, "goorg")
	say("CreateOrganizationWithName", other, err)
	other, err = orgs.UpdateOrganization(ctx, other)
	say("UpdateOrganization", other, err)
	done("DeleteOrganization", orgs.DeleteOrganization(ctx, other))
	done("DeleteUser", users.DeleteUser(ctx, user))
	listed, err := buckets.GetBuckets(ctx)
	say("GetBuckets", len(*listed), err)
	bucket, err := buckets.FindBucketByName(ctx, "telemetry")
	say("FindBucketByName", bucket, err)
	missing, err := users.FindUserByName(ctx, "nosuch")
	say("FindUserByName-404", missing, err)
	again, err := client.Setup(ctx, "u", "password1", "o", "b", 0)
	say("Setup-again", again, err)
}

func odd(client influxdb2.Client) {
	tokens, users, orgs := client.AuthorizationsAPI(), client.UsersAPI(), client.OrganizationsAPI()
	main, err := orgs.FindOrganizationByName(ctx, "main")
	if err != nil {
		panic(err)
	}
	list, err := users.GetUsers(ctx)
	if err != nil {
		panic(err)
	}
	sort.Slice(*list, func(i, j int) bool { return (*list)[i].Name < (*list)[j].Name })
	for _, user := range *list {
		named, err := users.FindUserByName(ctx, user.Name)
		say("FindUserByName", named, err)
		name, rights := user.Name, reads("users", user.Id, nil)
		wanted := domain.Authorization{OrgID: main.Id, UserID: user.Id, Permissions: &rights}
		wanted.Description = &name
		made, err := tokens.CreateAuthorization(ctx, &wanted)
		say("CreateAuthorization", made, err)
		found, err := tokens.FindAuthorizationsByUserName(ctx, user.Name)
		say("FindAuthorizationsByUserName", found, err)
	}
	all, err := orgs.GetOrganizations(ctx, api.PagingWithLimit(100))
	if err != nil {
		panic(err)
	}
	sort.Slice(*all, func(i, j int) bool { return (*all)[i].Name < (*all)[j].Name })
	for _, org := range *all {
		named, err := orgs.FindOrganizationByName(ctx, org.Name)
		say("FindOrganizationByName", named, err)
	}
}

func main() {
	host := os.Getenv("CLIENT_HOST")
	client := influxdb2.NewClient(host, os.Getenv("CLIENT_TOKEN"))
	if len(os.Args) > 1 && os.Args[1] == "odd" {
		odd(client)
	} else {
		whole(client)
	}
	session := influxdb2.NewClient(host, "")
	password := os.Getenv("CLIENT_PASSWORD")
	done("SignIn", session.UsersAPI().SignIn(ctx, "admin", password))
	me, err := session.UsersAPI().Me(ctx)
	say("session-Me", me, err)
	done("MeUpdatePassword", session.UsersAPI().MeUpdatePassword(ctx, password, password))
	done("SignOut", session.UsersAPI().SignOut(ctx))
	found, err := influxdb2.NewClient(host, "wrong").AuthorizationsAPI().GetAuthorizations(ctx)
	say("wrong-token", found, err)
}
