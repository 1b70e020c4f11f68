package servers

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A Tunnel is a TCP proxy on a loopback port: an address that stays the same while its target
// changes, like a virtual IP address or a DNS name. It can delay data, and sever its connections
// with the data in transit.
type Tunnel struct {
	listener net.Listener

	mu    sync.Mutex // guards what follows
	to    string
	delay time.Duration
	open  map[net.Conn]struct{}
}

// NewTunnel returns a tunnel to an address, until the end of the test.
func NewTunnel(t testing.TB, to string) *Tunnel {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tunnel := &Tunnel{listener: l, to: to, open: map[net.Conn]struct{}{}}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { tunnel.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		tunnel.Sever()
		carrying.Wait()
	})
	return tunnel
}

// Addr is host and port.
func (u *Tunnel) Addr() string { return u.listener.Addr().String() }

// Lead changes the target of new connections. Existing connections stay.
func (u *Tunnel) Lead(to string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.to = to
}

// Delay delays all data by d from now on, in both directions.
func (u *Tunnel) Delay(d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.delay = d
}

// Sever ends all connections. Data in transit is lost.
func (u *Tunnel) Sever() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.open {
		_ = c.Close()
	}
}

func (u *Tunnel) carry(from net.Conn) {
	u.mu.Lock()
	address := u.to
	u.mu.Unlock()
	to, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		_ = from.Close()
		return
	}
	u.mu.Lock()
	u.open[from], u.open[to] = struct{}{}, struct{}{}
	u.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { u.copy(to, from) })
	both.Go(func() { u.copy(from, to) })
	both.Wait()
	u.mu.Lock()
	delete(u.open, from)
	delete(u.open, to)
	u.mu.Unlock()
}

// A parcel is data with the time of its arrival.
type parcel struct {
	bytes   []byte
	arrives time.Time
}

// copy forwards data until one connection ends, and then ends the other.
func (u *Tunnel) copy(to, from net.Conn) {
	underway := make(chan parcel, 1<<14)
	var delivery sync.WaitGroup
	delivery.Go(func() {
		for p := range underway {
			time.Sleep(time.Until(p.arrives))
			if _, err := to.Write(p.bytes); err != nil {
				_ = from.Close()
			}
		}
		_ = to.Close()
	})
	defer delivery.Wait()
	defer close(underway)
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if n > 0 {
			u.mu.Lock()
			delay := u.delay
			u.mu.Unlock()
			underway <- parcel{b[:n], time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}
