"""Users, organizations and buckets; InfluxDB calls this package `tenant`.

Lives here: users, organizations, buckets and roles: listed, made, changed, chosen by name. Must
not live here: tokens.
"""
