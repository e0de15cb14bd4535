# Puts the project's own Python, compiler and local chain on PATH. For people who type `ape` themselves: . ./env.sh
TREATY_HOME=$(cd "$(dirname "${BASH_SOURCE:-$0}")" 2>/dev/null && pwd || pwd)
[ -f "$TREATY_HOME/ape-config.yaml" ] || TREATY_HOME=$(pwd)
export PATH="$TREATY_HOME/.venv/bin:$TREATY_HOME/node_modules/@foundry-rs/anvil-linux-amd64/bin:$TREATY_HOME/node_modules/@foundry-rs/forge-linux-amd64/bin:$PATH"
export SOLCX_BINARY_PATH="$TREATY_HOME/.solcx"
# Keys and caches of Ape stay in the project folder, unless you chose another.
export APE_DATA_FOLDER="${APE_DATA_FOLDER:-$TREATY_HOME/.ape}"
# One thread each: two OpenMP threads on two busy cores cost up to ten times.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
