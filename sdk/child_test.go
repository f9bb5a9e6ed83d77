package sdk_test

const childMode = "SERIN_SDK_TEST_CHILD"

func child(mode string) int { return 0 }
