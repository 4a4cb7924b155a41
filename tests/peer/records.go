package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Lives here: records of InfluxDB's metadata as Go's encoder writes them, field by field in the
// order in which servers write them.

// id is written as exactly 16 hexadecimal digits, and zero is no id.
type id uint64

func (i id) MarshalText() ([]byte, error) {
	if i == 0 {
		return nil, errors.New("an id of zero")
	}
	return []byte(fmt.Sprintf("%016x", uint64(i))), nil
}

func (i *id) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || len(text) != 16 || n == 0 {
		return errors.New("not an id")
	}
	*i = id(n)
	return nil
}

type resource struct {
	Type  string `json:"type"`
	ID    *id    `json:"id,omitempty"`
	OrgID *id    `json:"orgID,omitempty"`
}

type permission struct {
	Action   string   `json:"action"`
	Resource resource `json:"resource"`
}

type authorization struct {
	ID          id           `json:"id"`
	Token       string       `json:"token,omitempty"`
	HashedToken string       `json:"hashedToken,omitempty"`
	Status      string       `json:"status"`
	Description string       `json:"description"`
	OrgID       id           `json:"orgID"`
	UserID      id           `json:"userID,omitempty"`
	Permissions []permission `json:"permissions"`
	CreatedAt   time.Time    `json:"createdAt"`
	UpdatedAt   time.Time    `json:"updatedAt"`
}

type user struct {
	ID      id     `json:"id"`
	Name    string `json:"name"`
	OAuthID string `json:"oauthID,omitempty"`
	Status  string `json:"status"`
}

type organization struct {
	ID          id        `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

type bucketRecord struct {
	ID                 id        `json:"id"`
	OrgID              id        `json:"orgID"`
	Type               int       `json:"type"`
	Name               string    `json:"name"`
	Description        string    `json:"description"`
	RP                 string    `json:"rp,omitempty"`
	RetentionPeriod    int64     `json:"retentionPeriod"`
	ShardGroupDuration int64     `json:"shardGroupDuration"`
	CreatedAt          time.Time `json:"createdAt"`
	UpdatedAt          time.Time `json:"updatedAt"`
}

// migratedBucketRecord is a bucket's record as migrations 15 and 18 leave it.
type migratedBucketRecord struct {
	ID                 id        `json:"id"`
	OrgID              id        `json:"orgID"`
	Type               int       `json:"type"`
	Name               string    `json:"name"`
	Description        string    `json:"description"`
	RP                 string    `json:"rp,omitempty"`
	RetentionPeriod    int64     `json:"retentionPeriod"`
	CreatedAt          time.Time `json:"createdAt"`
	UpdatedAt          time.Time `json:"updatedAt"`
	ShardGroupDuration int64     `json:"shardGroupDuration"`
}

type mapping struct {
	UserID       id     `json:"userID"`
	UserType     string `json:"userType"`
	MappingType  string `json:"mappingType"`
	ResourceType string `json:"resourceType"`
	ResourceID   id     `json:"resourceID"`
}

type migration struct {
	ID         id         `json:"id"`
	Name       string     `json:"name"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

// newRecord makes an empty record of a named kind.
var newRecord = map[string]func() any{
	"authorization":   func() any { return &authorization{} },
	"user":            func() any { return &user{} },
	"org":             func() any { return &organization{} },
	"bucket":          func() any { return &bucketRecord{} },
	"migrated-bucket": func() any { return &migratedBucketRecord{} },
	"mapping":         func() any { return &mapping{} },
	"migration":       func() any { return &migration{} },
}

// job is a line of `json`: a record's bytes in base64, so that they arrive as they are.
type job struct {
	Kind   string `json:"kind"`
	Record []byte `json:"record"`
}

// verdict answers it: the same record written by Go, or what is wrong with it.
type verdict struct {
	Record []byte `json:"record,omitempty"`
	Error  string `json:"error,omitempty"`
}

// runJSON decodes the record on each line of stdin, refusing unknown fields, and encodes it again.
func runJSON(_ *options, _ []string, out *bufio.Writer) error {
	in := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(out)
	for {
		var j job
		if err := in.Decode(&j); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var v verdict
		again, err := rewrite(j)
		if err != nil {
			v.Error = err.Error()
		}
		v.Record = again
		if err := answers.Encode(v); err != nil {
			return err
		}
		out.Flush()
	}
}

func rewrite(j job) ([]byte, error) {
	make, known := newRecord[j.Kind]
	if !known {
		return nil, fmt.Errorf("no kind of record is called %q", j.Kind)
	}
	record := make()
	decoder := json.NewDecoder(bytes.NewReader(j.Record))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(record); err != nil {
		return nil, err
	}
	return json.Marshal(record)
}

// Buckets of an InfluxDB store.
var (
	authorizationsBucket = []byte("authorizationsv1")
	usersBucket          = []byte("usersv1")
	organizationsBucket  = []byte("organizationsv1")
)

// listedAuthorization is what a listing shows of an authorization.
type listedAuthorization struct {
	ID          id           `json:"id"`
	Token       string       `json:"token"`
	Status      string       `json:"status"`
	Description string       `json:"description"`
	OrgID       id           `json:"orgID"`
	Org         string       `json:"org"`
	UserID      id           `json:"userID,omitempty"`
	User        string       `json:"user"`
	GlobalCount int          `json:"globalPermissionCount"`
	Count       int          `json:"permissionCount"`
	Permissions []permission `json:"permissions,omitempty"`
	CreatedAt   time.Time    `json:"createdAt"`
	UpdatedAt   time.Time    `json:"updatedAt"`
}

// runAuthList lists all authorizations the plain way: decode each record, join the names, and
// write one document.
func runAuthList(o *options, args []string, out *bufio.Writer) error {
	db, err := o.openForReading(args)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		users, orgs := map[id]string{}, map[id]string{}
		if err := eachRecord(tx, usersBucket, func(u *user) { users[u.ID] = u.Name }); err != nil {
			return err
		}
		if err := eachRecord(tx, organizationsBucket, func(r *organization) {
			orgs[r.ID] = r.Name
		}); err != nil {
			return err
		}
		list := []listedAuthorization{}
		if err := eachRecord(tx, authorizationsBucket, func(a *authorization) {
			list = append(list, show(a, users, orgs, o.withPerms))
		}); err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(map[string]any{"version": 1, "authorizations": list})
	})
}

func eachRecord[R any](tx *bolt.Tx, bucket []byte, use func(*R)) error {
	b := tx.Bucket(bucket)
	if b == nil {
		return fmt.Errorf("no bucket %q", bucket)
	}
	return b.ForEach(func(_, value []byte) error {
		record := new(R)
		if err := json.Unmarshal(value, record); err != nil {
			return err
		}
		use(record)
		return nil
	})
}

func show(a *authorization, users, orgs map[id]string, withPermissions bool) listedAuthorization {
	shown := listedAuthorization{
		ID:          a.ID,
		Token:       "REDACTED (raw)",
		Status:      a.Status,
		Description: a.Description,
		OrgID:       a.OrgID,
		Org:         orgs[a.OrgID],
		UserID:      a.UserID,
		User:        users[a.UserID],
		Count:       len(a.Permissions),
		CreatedAt:   a.CreatedAt,
		UpdatedAt:   a.UpdatedAt,
	}
	if a.Token == "" {
		shown.Token = "REDACTED (sha256)"
	}
	for _, p := range a.Permissions {
		if p.Resource.ID == nil && p.Resource.OrgID == nil {
			shown.GlobalCount++
		}
	}
	if withPermissions {
		shown.Permissions = a.Permissions
	}
	return shown
}
