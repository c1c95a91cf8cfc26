// SPDX-License-Identifier: Apache-2.0

// On the API of v0.34.
package main

import (
	"github.com/tendermint/tendermint/abci/example/kvstore"
	"github.com/tendermint/tendermint/abci/server"
	"github.com/tendermint/tendermint/abci/types"
)

type filter struct{ types.Application }

func (f filter) Query(req types.RequestQuery) types.ResponseQuery {
	if code, log := judge(req.Path); code != 0 {
		return types.ResponseQuery{Code: code, Log: log}
	}
	return f.Application.Query(req)
}

func serve(addr string) error {
	s, err := server.NewServer(addr, "socket", filter{kvstore.NewApplication()})
	if err != nil {
		return err
	}
	return s.Start()
}
