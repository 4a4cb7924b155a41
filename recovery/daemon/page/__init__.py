"""The page: what a person sees in a browser, on the daemon that holds a stopped server's store.

Lives here: screens, their forms, sessions of the page, templates and static files. Must not live
here: any rule of a store. What a screen shows comes from `recovery.services`, and each act is one
of the planners that the command line and the API call.

Invariants: everything works without scripts. Nothing is fetched from another host, and the content
security policy has no exception. A change is a POST with a token of its own session, form and
moment, and is answered with a redirect; sent twice, it is made once. A new secret is shown in the
answer to the POST that made it and nowhere else. Imported only by `serve`.

Source: spec admin-daemon 2.2 to 2.4, 3.5 and 4.
"""
