// The Go peers: peers-go WORKLOAD key=value..., one output line as from the C programs.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func str(key, dflt string) string {
	for _, a := range os.Args[2:] {
		if strings.HasPrefix(a, key+"=") {
			return a[len(key)+1:]
		}
	}
	return dflt
}
func num(key string, dflt uint64) uint64 {
	s := str(key, "")
	if s == "" {
		return dflt
	}
	v, err := strconv.ParseUint(s, 10, 64)
	check(err == nil, key)
	return v
}
func check(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "CHECK FAILED", what)
		os.Exit(3)
	}
}
func report(w, peer string, ops uint64, dt time.Duration, extra string) {
	fmt.Printf("%s %s %d %.6f %.2f %s\n", w, peer, ops, dt.Seconds(), float64(dt.Nanoseconds())/float64(ops), extra)
}
type words interface {
	[1]uint64 | [8]uint64 | [128]uint64
}

func w5phase[M words](ch chan M, p, total uint64) time.Duration {
	each := total / p
	start := make(chan struct{})
	for id := uint64(0); id < p; id++ {
		go func(id uint64) {
			var m M
			<-start
			for i := uint64(1); i <= each; i++ {
				m[0] = id<<48 | i
				m[len(m)-1] = id<<48 | i
				ch <- m
			}
		}(id)
	}
	var last [16]uint64
	var sum uint64
	close(start)
	t0 := time.Now()
	for k := uint64(0); k < each*p; k++ {
		m := <-ch
		v := m[0]
		id, i := v>>48, v&0xffffffffffff
		if m[len(m)-1] != v || i != last[id]+1 {
			check(false, "message")
		}
		last[id] = i
		sum += i
	}
	dt := time.Since(t0)
	check(sum == p*(each*(each+1)/2), "sum")
	return dt
}
func w5[M words]() {
	p, total := num("p", 1), num("total", 5000000)
	ch := make(chan M, num("cap", 1024))
	w5phase(ch, p, num("warm", total/10))
	dt := w5phase(ch, p, total)
	report("w5", "go", total/p*p, dt, fmt.Sprintf("p=%d size=%d", p, num("size", 8)))
}

type req struct {
	v     uint64
	reply chan uint64
}

func w6() {
	c, n := num("c", 1), num("n", 200000)
	rq := make(chan req, 1024)
	go func() {
		for r := range rq {
			r.reply <- r.v*2 + 1
		}
	}()
	phase := func(each uint64) time.Duration {
		var wg sync.WaitGroup
		t0 := time.Now()
		for id := uint64(0); id < c; id++ {
			wg.Add(1)
			go func(id uint64) {
				reply := make(chan uint64, 1)
				for i := uint64(0); i < each; i++ {
					v := id<<40 | i
					rq <- req{v, reply}
					if <-reply != v*2+1 {
						check(false, "reply")
					}
				}
				wg.Done()
			}(id)
		}
		wg.Wait()
		return time.Since(t0)
	}
	phase(num("warm", n/10) / c)
	dt := phase(n / c)
	report("w6", "go", n/c*c, dt, fmt.Sprintf("c=%d pin=%s", c, str("pin", "none")))
}

func main() {
	switch os.Args[1] {
	case "w5":
		switch num("size", 8) {
		case 8:
			w5[[1]uint64]()
		case 64:
			w5[[8]uint64]()
		case 1024:
			w5[[128]uint64]()
		}
	case "w6":
		w6()
	default:
		check(false, "workload")
	}
}
