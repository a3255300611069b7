%% The Erlang peers: erl -run peers main WORKLOAD key=value..., one output line as from the C programs.
-module(peers).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

main([W | As]) ->
    %% not in the calling process: that is init, which traps exits
    {_, Ref} = spawn_monitor(fun() ->
        put(args, [list_to_tuple(string:split(A, "=")) || A <- As]),
        run(W)
    end),
    receive
        {'DOWN', Ref, process, _, normal} -> halt(0);
        {'DOWN', Ref, process, _, E} -> io:format(standard_error, "CHECK FAILED ~p~n", [E]), halt(3)
    end.

num(K, D) ->
    case lists:keyfind(K, 1, get(args)) of
        {_, V} -> list_to_integer(V);
        false -> D
    end.
str(K, D) ->
    case lists:keyfind(K, 1, get(args)) of
        {_, V} -> V;
        false -> D
    end.

now_ns() -> erlang:monotonic_time(nanosecond).
report(W, Ops, Ns, Extra) ->
    io:format("~s erlang ~b ~.6f ~.2f ~s~n", [W, Ops, Ns / 1.0e9, Ns / Ops, Extra]).

%% W5: unbounded mailbox; a message is an integer (8) or {integer, tuple of words} (64, 1024), which
%% the send copies. The consumer is this process; its queue is off its heap, or each of its garbage
%% collections walks the whole queue (47 us a message then, for 1M integers).
run("w5") ->
    process_flag(message_queue_data, off_heap),
    P = num("p", 1), Total = num("total", 5000000), Size = num("size", 8),
    w5(P, num("warm", Total div 10), Size),
    {N, Dt} = w5(P, Total, Size),
    report("w5", N, Dt, io_lib:format("p=~b size=~b unbounded", [P, Size]));
run("w6") ->
    C = num("c", 1), N = num("n", 200000),
    {ok, Srv} = gen_server:start_link(?MODULE, 0, []),
    w6(Srv, C, num("warm", N div 10) div C),
    Dt = w6(Srv, C, N div C),
    N2 = N div C * C,
    N3 = gen_server:call(Srv, count),
    true = N3 =:= N2 + num("warm", N div 10) div C * C,
    report("w6", N2, Dt, io_lib:format("c=~b pin=~s", [C, str("pin", "none")])).

w5(P, Total, Size) ->
    Each = Total div P, Me = self(),
    Pids = [spawn_link(fun() ->
                T = case Size of 8 -> none; _ -> list_to_tuple(lists:seq(1, Size div 8 - 2)) end,
                receive go -> ok end,
                produce(Me, Id bsl 48, 1, Each, T)
            end) || Id <- lists:seq(0, P - 1)],
    T0 = now_ns(),
    [X ! go || X <- Pids],
    Sum = consume(Each * P, 0, {0, 0, 0, 0}),
    Dt = now_ns() - T0,
    Sum = P * (Each * (Each + 1) div 2),
    {Each * P, Dt}.
produce(_, _, I, Each, _) when I > Each -> ok;
produce(To, Tag, I, Each, none) ->
    To ! (Tag bor I),
    produce(To, Tag, I + 1, Each, none);
produce(To, Tag, I, Each, T) ->
    To ! {Tag bor I, T},
    produce(To, Tag, I + 1, Each, T).
consume(0, Sum, _) -> Sum;
consume(K, Sum, Last) ->
    V = receive {X, _} -> X; X -> X end,
    Id = V bsr 48, I = V band 16#ffffffffffff,
    I = element(Id + 1, Last) + 1,
    consume(K - 1, Sum + I, setelement(Id + 1, Last, I)).

w6(Srv, C, Each) ->
    T0 = now_ns(),
    Ps = [spawn_monitor(fun() -> calls(Srv, Id bsl 40, 0, Each) end) || Id <- lists:seq(0, C - 1)],
    [receive {'DOWN', R, process, _, normal} -> ok; {'DOWN', R, process, _, E} -> exit(E) end || {_, R} <- Ps],
    now_ns() - T0.
calls(_, _, Each, Each) -> ok;
calls(Srv, Tag, I, Each) ->
    V = Tag bor I,
    R = V * 2 + 1,
    R = gen_server:call(Srv, V),
    calls(Srv, Tag, I + 1, Each).

init(N) -> {ok, N}.
handle_call(count, _, N) -> {reply, N, N};
handle_call(V, _, N) -> {reply, V * 2 + 1, N + 1}.
handle_cast(_, N) -> {noreply, N}.
