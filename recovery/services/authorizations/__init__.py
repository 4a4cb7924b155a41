"""Authorizations: who may do what, and the tokens for it.

Lives here: authorizations of both kinds: listed, made, changed, tried, moved between stores. Must
not live here: users and organizations.
"""
