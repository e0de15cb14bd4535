# Puts the project's own Python, compiler and local chain on PATH. For people who type `ape` themselves: . ./env.sh
TREATY_HOME=$(cd "$(dirname "${BASH_SOURCE:-$0}")" 2>/dev/null && pwd || pwd)
[ -f "$TREATY_HOME/ape-config.yaml" ] || TREATY_HOME=$(pwd)
export PATH="$TREATY_HOME/.venv/bin:$TREATY_HOME/node_modules/@foundry-rs/anvil-linux-amd64/bin:$TREATY_HOME/node_modules/@foundry-rs/forge-linux-amd64/bin:$PATH"
export SOLCX_BINARY_PATH="$TREATY_HOME/.solcx"
# Keys and caches of Ape stay in the project folder, unless you chose another.
export APE_DATA_FOLDER="${APE_DATA_FOLDER:-$TREATY_HOME/.ape}"
# One thread each: two OpenMP threads on two busy cores cost up to ten times.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# Ape finds these commands in the project's folder alone, and elsewhere says no more than that there is no such command.
ape() {
    if [ "$1" = run ] && [ ! -d scripts ]; then
        echo "Error: 'ape run' works in the project's folder only: cd $TREATY_HOME; your tables may be anywhere" >&2
        return 2
    fi
    command ape "$@"
}
