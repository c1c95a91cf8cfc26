// SPDX-License-Identifier: Apache-2.0

// On the API of v0.38.
package main

import (
	"context"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	"github.com/cometbft/cometbft/abci/server"
	"github.com/cometbft/cometbft/abci/types"
)

type filter struct{ types.Application }

func (f filter) Query(ctx context.Context, req *types.RequestQuery) (*types.ResponseQuery, error) {
	if code, log := judge(req.Path); code != 0 {
		return &types.ResponseQuery{Code: code, Log: log}, nil
	}
	return f.Application.Query(ctx, req)
}

func serve(addr string) error {
	s, err := server.NewServer(addr, "socket", filter{kvstore.NewInMemoryApplication()})
	if err != nil {
		return err
	}
	return s.Start()
}
