// SPDX-License-Identifier: Apache-2.0

//go:build tools

package main

import _ "github.com/cometbft/cometbft/cmd/cometbft" // keeps the complete node in go.mod
