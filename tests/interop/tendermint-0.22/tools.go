// SPDX-License-Identifier: Apache-2.0

//go:build tools

package main

import _ "github.com/tendermint/tendermint/cmd/tendermint" // keeps the complete node in go.mod
