# ./dev run: from an empty folder to an answer, then serving.

port_is_free() {
  python3 - "$1" "$2" <<'PYTHON'
import socket, sys
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((sys.argv[1], int(sys.argv[2])))
    except OSError as error:
        sys.exit(str(error))
PYTHON
}

# wait_for_health URL PID: until the server answers, or is gone, or a minute is over.
wait_for_health() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    curl --silent --fail --max-time 2 --noproxy '*' --output /dev/null "$1/health" && return 0
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# One question over the server's own HTTP API; prints the answer and its speed.
ask_one_question() {
  local url=$1 question='What is the capital of France, and what is it known for?' started ended answer
  say "asking: $question"
  started=$(date +%s%N)
  answer=$(curl --silent --show-error --fail-with-body --max-time 120 --noproxy '*' "$url/v1/chat/completions" \
    --header 'Content-Type: application/json' \
    --data "{\"messages\": [{\"role\": \"user\", \"content\": \"$question\"}], \"model\": \"$2\",
             \"max_tokens\": 128, \"temperature\": 0}") || die "the question failed: $answer"
  ended=$(date +%s%N)
  python3 - "$((ended - started))" "$answer" <<'PYTHON'
import json, sys
seconds, answer = int(sys.argv[1]) / 1e9, json.loads(sys.argv[2])
usage = answer["usage"]
print("\n" + answer["choices"][0]["message"]["content"].strip() + "\n")
print(f"{usage['completion_tokens']} tokens in {seconds:.2f} s: {usage['completion_tokens'] / seconds:.1f} tokens/s"
      f" (after a prompt of {usage['prompt_tokens']} tokens, HTTP and prompt included)")
PYTHON
}

first_model_id() {
  curl --silent --fail --max-time 5 --noproxy '*' "$1/v1/models" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][0]["id"])'
}

how_to_talk() {
  cat <<TEXT

Serving on $1 (Ctrl-C stops it). To talk to it:

  curl $1/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"model": "$2", "messages": [{"role": "user", "content": "Hello!"}]}'

  from openai import OpenAI
  client = OpenAI(base_url="$1/v1", api_key="none")
  print(client.chat.completions.create(model="$2", messages=[{"role": "user", "content": "Hello!"}]).choices[0].message.content)

  $3 chat

TEXT
}

# Prints the preset to build: cuda where there is a GPU, or where it was asked for.
preset_for_run() {
  if [ "$1" = --cuda ]; then
    echo cuda
  elif gpu_here; then
    # Without its compiler the rest still serves.
    if (set_up_cuda); then echo cuda; else say "there is a GPU, but its part cannot be built: serving without it"; fi
  fi
}

run_server() {
  local wanted='' preset
  if [ "${1:-}" = --cuda ]; then
    wanted=$1
    shift
  fi
  [ "${1:-}" = -- ] && shift
  set_up build
  preset=$(preset_for_run "$wanted")
  preset=${preset:-release}
  [ "$preset" = cuda ] && set_up_cuda
  local own_model='' host=127.0.0.1 port=${HANGAR_PORT:-8000} arguments=("$@") i server
  # --host, --port and --model after the -- are the server's to read; we only need to know them too.
  for ((i = 0; i < ${#arguments[@]}; i++)); do
    case ${arguments[i]} in
      --port) port=${arguments[i + 1]:-} ;;
      --port=*) port=${arguments[i]#--port=} ;;
      --host) host=${arguments[i + 1]:-} ;;
      --host=*) host=${arguments[i]#--host=} ;;
      --model | --model=*) own_model=1 ;;
    esac
  done
  local problem
  problem=$(port_is_free "$host" "$port" 2>&1) ||
    die "cannot serve on $host port $port: $problem. Another port: HANGAR_PORT=8001 ./dev run"
  local targets=(hangar)
  [ "$preset" = cuda ] && targets+=(hangar_cuda)
  say "building build/$preset/hangar"
  build "$preset" "${targets[@]}"
  local command=("build/$preset/hangar" serve --host "$host" --port "$port") model
  if [ -z "$own_model" ]; then
    model=$(default_model)
    command+=(--model "$model")
  fi
  # The user's --port and --host are in the command already.
  for ((i = 0; i < ${#arguments[@]}; i++)); do
    case ${arguments[i]} in
      --port | --host) i=$((i + 1)) ;;
      --port=* | --host=*) ;;
      *) command+=("${arguments[i]}") ;;
    esac
  done
  # In a process group of its own: a Ctrl-C reaches us alone, and we pass on one SIGTERM for it.
  set -m
  "${command[@]}" &
  server=$!
  set +m
  # shellcheck disable=SC2064
  trap "kill -TERM $server 2>/dev/null || true" INT TERM HUP
  # shellcheck disable=SC2064
  trap "kill -TERM $server 2>/dev/null || true" EXIT
  local reach=$host
  [[ $host = 0.0.0.0 || $host = :: ]] && reach=127.0.0.1
  local url=http://$reach:$port id
  if ! wait_for_health "$url" "$server"; then
    local code=0
    kill -0 "$server" 2>/dev/null && die "no answer from $url/health within a minute"
    wait "$server" || code=$?
    [ $code = 0 ] && return 0  # it had only to say something: --help, --print-config
    die "the server ended with code $code; its message is above"
  fi
  id=$(first_model_id "$url")
  ask_one_question "$url" "$id"
  how_to_talk "$url" "$id" "build/$preset/hangar"
  local code=0
  while :; do
    code=0
    wait "$server" || code=$?
    kill -0 "$server" 2>/dev/null || break  # a signal to us ends `wait` early; the server may still be finishing
  done
  trap - EXIT
  return "$code"
}
