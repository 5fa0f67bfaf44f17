"""What a person reads: findings in words, the terminal table, the notebook table and the charts."""
