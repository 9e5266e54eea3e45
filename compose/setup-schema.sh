#!/bin/sh
# Creates Temporal's two databases and brings their schemas to the version of this image.
# Runs at every start: what is there already stays, what is up to date is left alone.
# SQL_PASSWORD is read by temporal-sql-tool itself, so that no process list shows it.
set -eu
: "${SQL_HOST:?}" "${SQL_PORT:?}" "${SQL_USER:?}" "${SQL_PASSWORD:?}"
schema=/etc/temporal/schema/postgresql/v12

attempt=1
until nc -z -w 2 "$SQL_HOST" "$SQL_PORT"; do
    if [ "$attempt" -ge 30 ]; then
        echo "PostgreSQL does not answer at $SQL_HOST:$SQL_PORT" >&2
        exit 1
    fi
    attempt=$((attempt + 1))
    sleep 1
done

sql_tool() {
    temporal-sql-tool --plugin postgres12 --ep "$SQL_HOST" -p "$SQL_PORT" -u "$SQL_USER" "$@"
}

bring_up() {
    database=$1
    folder=$2
    sql_tool --db "$database" create
    sql_tool --db "$database" setup-schema -v 0.0
    sql_tool --db "$database" update-schema -d "$schema/$folder/versioned"
}

bring_up temporal temporal
bring_up temporal_visibility visibility
echo "Schemas are up to date"
