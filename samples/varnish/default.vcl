# A cache for a channel's signed units, in front of the web server of --cdn-dir or --cdn-put.
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "8080";
}

sub vcl_recv {
    # Publishers talk to the web server itself.
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    if (req.url !~ "^/\.well-known/ni/" && req.url !~ "^/decade/v1/live/") {
        return (synth(404));
    }
    set req.url = regsub(req.url, "\?.*$", "");
    unset req.http.Cookie;
    unset req.http.Authorization;
    return (hash);
}

# The bytes depend on the path alone.
sub vcl_hash {
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_response {
    if (beresp.status != 200) {
        # Viewers ask for an object as soon as it should be there: that it is not must not be kept.
        # For this second those who ask do not queue up behind each other (hit-for-miss).
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
        set beresp.http.Cache-Control = "no-store";
        return (deliver);
    }
    if (bereq.url ~ "^/\.well-known/ni/") {
        # Named by its hash, it never changes. Viewers are live: after minutes nobody asks for it.
        set beresp.ttl = 10m;
        set beresp.http.Cache-Control = "public, max-age=31536000, immutable";
    } else {
        # The index, and objects by their chunks: never stale.
        set beresp.ttl = 1s;
        set beresp.grace = 0s;
        set beresp.keep = 0s;
        set beresp.http.Cache-Control = "public, max-age=1";
    }
    return (deliver);
}

sub vcl_deliver {
    # "MISS" and "HIT n": what this cache saved its origin.
    set resp.http.X-Cache = "MISS";
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT " + obj.hits;
    }
}
