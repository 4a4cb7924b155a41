#!/usr/bin/env bash
# What the documentation's page on tokens does with curl and jq, on one server: a token for whoever
# asks, then a user with an organization, a role and a token of its own. Prints a line for each
# answer. Reads CLIENT_HOST, CLIENT_TOKEN and CLIENT_PASSWORD.
set -euo pipefail

# call NAME METHOD PATH [BODY]: prints name, status and answer; leaves the answer in $answer.
call() {
    local all
    all=$(curl --silent --request "$2" "$CLIENT_HOST$3" \
        --header "Authorization: Token $CLIENT_TOKEN" --header 'Content-type: application/json' \
        ${4:+--data "$4"} --write-out '\n%{http_code}')
    answer=${all%$'\n'*}
    echo "$1 ${all##*$'\n'} $(jq --compact-output --sort-keys . <<<"${answer:-null}")"
}

rights() { # ORG_ID: as on the page
    jq --null-input --compact-output --arg org "$1" \
        '[("authorizations", "buckets") as $type | ("read", "write")
            | {action: ., resource: {orgID: $org, type: $type}}]'
}

token_for() { # NAME ORG_ID USER_ID DESCRIPTION
    call "$1" POST /api/v2/authorizations "$(jq --null-input --arg org "$2" --arg user "$3" \
        --arg words "$4" --argjson rights "$(rights "$2")" \
        '{status: "active", description: $words, orgID: $org, permissions: $rights}
            + (if $user == "" then {} else {userID: $user} end)')"
}

encoded() { jq --null-input --raw-output --arg text "$1" '$text | @uri'; }

whole() {
    call orgs GET '/api/v2/orgs?org=main'
    local org user
    org=$(jq --raw-output '.orgs[0].id' <<<"$answer")
    token_for token "$org" '' iot-center-device
    call user POST /api/v2/users '{"name": "curl-user", "status": "active"}'
    user=$(jq --raw-output .id <<<"$answer")
    call new-org POST /api/v2/orgs '{"name": "curl-org"}'
    call the-org GET '/api/v2/orgs?org=curl-org'
    org=$(jq --raw-output '.orgs[] | select(.name == "curl-org") | .id' <<<"$answer")
    call member POST "/api/v2/orgs/$org/members" "{\"id\": \"$user\", \"name\": \"curl-user\"}"
    token_for token-for-user "$org" "$user" 'for another user'
    call tokens GET '/api/v2/authorizations?user=curl-user'
    call the-token GET "/api/v2/authorizations/$(jq --raw-output '.authorizations[0].id' \
        <<<"$answer")"
    call org-again POST /api/v2/orgs '{"name": "curl-org"}'
    call no-json POST /api/v2/authorizations 'orgID=1'
    CLIENT_TOKEN=wrong call wrong-token GET /api/v2/authorizations
}

odd() { # the first seven names: each answer takes a few processes
    call orgs GET '/api/v2/orgs?org=main'
    local main name
    main=$(jq --raw-output '.orgs[0].id' <<<"$answer")
    local users orgs
    users=$(curl --silent "$CLIENT_HOST/api/v2/users?limit=100" \
        --header "Authorization: Token $CLIENT_TOKEN" | jq --compact-output \
        '.users | sort_by(.name)[:7][] | [.id, .name]')
    while read -r user; do
        name=$(jq --raw-output '.[1] + "."' <<<"$user") && name=${name%.}
        call user GET "/api/v2/users?name=$(encoded "$name")"
        token_for token "$main" "$(jq --raw-output '.[0]' <<<"$user")" "$name"
        call tokens GET "/api/v2/authorizations?user=$(encoded "$name")"
    done <<<"$users"
    orgs=$(curl --silent "$CLIENT_HOST/api/v2/orgs?limit=100" \
        --header "Authorization: Token $CLIENT_TOKEN" | jq --compact-output \
        '.orgs | sort_by(.name)[:7][] | [.id, .name]')
    while read -r org; do
        name=$(jq --raw-output '.[1] + "."' <<<"$org") && name=${name%.}
        call org GET "/api/v2/orgs?org=$(encoded "$name")"
    done <<<"$orgs"
}

if [[ "${1:-}" == odd ]]; then odd; else whole; fi
