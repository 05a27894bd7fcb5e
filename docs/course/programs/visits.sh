#!/bin/sh
# Counts the visits of each browser, which keeps the number itself: in a cookie.
visits=0
case $HTTP_COOKIE in
    visits=[0-9] | visits=[0-9][0-9]) visits=${HTTP_COOKIE#visits=} ;;
esac
visits=$((visits + 1))
echo 'Content-Type: text/plain'
echo "Set-Cookie: visits=$visits; HttpOnly; SameSite=Lax"
echo
echo "This is your visit number $visits."
