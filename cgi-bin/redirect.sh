#!/bin/sh
# redirect.sh: "you will find it over there", said in two ways.
#
# Location with a whole address is for the client: the server answers 302, and the browser asks again,
# at the new address. Location with only a path is for the server: it answers at once with what
# is found there, and the browser never learns of it (RFC 3875, sections 6.2.2 and 6.2.3).

if [ "$QUERY_STRING" = local ]; then
    location=/arrived.html
else
    location=${REQUEST_SCHEME:-http}://${HTTP_HOST:-$SERVER_NAME:$SERVER_PORT}/arrived.html
fi

printf 'Location: %s\n\n' "$location"
